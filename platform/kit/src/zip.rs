//! A ZIP archive (PKWARE APPNOTE 6.3.10) of members that are stored as they are: one clock, the
//! format's first instant, and no attribute of the machine that wrote it. The same members give the
//! same bytes. Workbooks ([`crate::xlsx`]) and packages of exported files are such archives.

/// Media type of an archive.
pub const MEDIA_TYPE: &str = "application/zip";

/// The archive would have 4 GiB or more, more than 65,535 members, or a name that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the archive would be larger than the format can hold")]
pub struct TooLarge;

/// Version that reads a stored member (APPNOTE 4.4.3.2).
const VERSION: u16 = 10;
/// Names are UTF-8 (APPNOTE 4.4.4, bit 11).
const FLAGS: u16 = 1 << 11;
/// 1980-01-01 (APPNOTE 4.4.6): year 0, month 1, day 1.
const DATE: u16 = 1 << 5 | 1;

/// An archive that is being written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u16,
}

impl Archive {
    /// Adds a member behind the others. Names are the caller's: no two alike, `/` between folders.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), TooLarge> {
        let at = length(self.bytes.len())?;
        let described = described(name, content)?;
        self.bytes.extend_from_slice(b"PK\x03\x04");
        self.bytes.extend_from_slice(&VERSION.to_le_bytes());
        self.bytes.extend_from_slice(&described);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(content);
        self.directory.extend_from_slice(b"PK\x01\x02");
        // Made by the same version, on no system in particular.
        self.directory.extend_from_slice(&VERSION.to_le_bytes());
        self.directory.extend_from_slice(&VERSION.to_le_bytes());
        self.directory.extend_from_slice(&described);
        // No comment, disk 0, no attributes inside or outside.
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&at.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.members = self.members.checked_add(1).ok_or(TooLarge)?;
        Ok(())
    }

    /// The whole archive.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn finish(mut self) -> Result<Vec<u8>, TooLarge> {
        let (at, size) = (length(self.bytes.len())?, length(self.directory.len())?);
        self.bytes.append(&mut self.directory);
        self.bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend_from_slice(&self.members.to_le_bytes());
        self.bytes.extend_from_slice(&self.members.to_le_bytes());
        self.bytes.extend_from_slice(&size.to_le_bytes());
        self.bytes.extend_from_slice(&at.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 2]);
        length(self.bytes.len())?;
        Ok(self.bytes)
    }
}

/// What stands of a member in both places, from its flags to the length of its extra field.
fn described(name: &str, content: &[u8]) -> Result<Vec<u8>, TooLarge> {
    let size = length(content.len())?;
    let name = u16::try_from(name.len()).map_err(|_| TooLarge)?;
    let mut bytes = Vec::with_capacity(24);
    // Flags, stored, midnight, the first day.
    for word in [FLAGS, 0, 0, DATE] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for word in [crc32(content), size, size] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&name.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    Ok(bytes)
}

fn length(bytes: usize) -> Result<u32, TooLarge> {
    u32::try_from(bytes).map_err(|_| TooLarge)
}

/// The check sum of ZIP (APPNOTE 4.4.7; ISO 3309, polynomial 0xEDB88320 reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        crc >> 8 ^ TABLE[index as usize]
    };
    !bytes.iter().fold(u32::MAX, step)
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut value, mut bit) = (index as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
