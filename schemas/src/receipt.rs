//! What the platform sends back: receipts and inclusions (`statement.md` section 6).

use crate::cbor::{CborError, Reader, Writer};
use crate::cose::{self, Sign1};
use crate::hash::Hash;
use crate::ids::DeviceAddress;
use crate::key::{KeyError, PublicKey, SecretKey};
use crate::log::{ENTRY_MAX, Entry, EntryError, Policy, entry_hash};
use crate::merkle::{self, PathError};
use crate::note::{NOTE_MAX, Note, NoteError, Witnessed};
use crate::statement::instant;
use crate::time::Instant;
use crate::tlog::{self, PATH_MAX, ProofError};

/// Media type of a receipt.
pub const TYP_RECEIPT: &str = "application/vnd.tracebond.receipt.v1+cbor";
/// Longest receipt in bytes.
pub const RECEIPT_MAX: usize = 65_536;
/// Most statements that one receipt or inclusion names.
pub const IDS_MAX: usize = 1_024;
const RANGES_MAX: usize = 256;
const REFUSED_MAX: usize = 1_024;

/// The platform's promise that statements are stored and will be anchored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Log id.
    pub log: Hash,
    /// Whose.
    pub device: DeviceAddress,
    /// Epoch of every seq.
    pub epoch: u64,
    /// Seqs from..=to, increasing, not touching.
    pub ranges: Vec<(u64, u64)>,
    /// Id of the statement at the last `to`.
    pub last: Hash,
    /// Platform's clock.
    pub time: Instant,
    /// A witnessed checkpoint will cover them by then.
    pub deadline: Instant,
    /// (seq, event index, code), increasing.
    pub refused: Vec<(u64, u64, String)>,
    /// Ids of every seq, in order.
    pub ids: Vec<Hash>,
}

/// A receipt that does not count.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiptError {
    /// The form is broken.
    #[error("not the form of a receipt")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is a `{0}`")]
    Typ(String),
    /// Not the receipt key's.
    #[error("the receipt's signature does not count")]
    Signature(#[from] KeyError),
}

impl Receipt {
    /// Signs.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        cose::sign(key, TYP_RECEIPT, &self.encode())
    }

    /// Reads a receipt and checks that `key` signed it.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn open(bytes: &[u8], key: &PublicKey) -> Result<Self, ReceiptError> {
        let cose = Sign1::parse(bytes, RECEIPT_MAX)?;
        if cose.typ != TYP_RECEIPT {
            return Err(ReceiptError::Typ(cose.typ.to_owned()));
        }
        cose.verify(key)?;
        Ok(Self::decode(cose.payload)?)
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(9)
            .uint(0)
            .bytes(&self.log.0)
            .uint(1)
            .text(&self.device.to_string());
        w.uint(2).uint(self.epoch).uint(3).array(self.ranges.len());
        for (from, to) in &self.ranges {
            w.array(2).uint(*from).uint(*to);
        }
        w.uint(4)
            .bytes(&self.last.0)
            .uint(5)
            .uint(self.time.as_unsigned());
        w.uint(6)
            .uint(self.deadline.as_unsigned())
            .uint(7)
            .array(self.refused.len());
        for (seq, event, code) in &self.refused {
            w.array(3).uint(*seq).uint(*event).text(code);
        }
        w.uint(8).array(self.ids.len());
        for id in &self.ids {
            w.bytes(&id.0);
        }
        w.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("receipt")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let device = r
            .text("device", 65)?
            .parse()
            .map_err(|_| CborError::Limit("device"))?;
        keys.required(&mut r, 2)?;
        let epoch = r.uint("epoch")?;
        keys.required(&mut r, 3)?;
        let ranges = read_ranges(&mut r)?;
        keys.required(&mut r, 4)?;
        let last = r.hash("last")?;
        keys.required(&mut r, 5)?;
        let time = instant(&mut r, "time")?;
        keys.required(&mut r, 6)?;
        let deadline = instant(&mut r, "deadline")?;
        keys.required(&mut r, 7)?;
        let refused = read_refused(&mut r)?;
        keys.required(&mut r, 8)?;
        let count = r.array("ids", IDS_MAX)?;
        let ids = (0..count)
            .map(|_| r.hash("id"))
            .collect::<Result<Vec<_>, _>>()?;
        keys.end()?;
        r.end()?;
        let seqs: u64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
        if seqs != ids.len() as u64 || ids.last() != Some(&last) {
            return Err(CborError::Limit("ids"));
        }
        Ok(Self {
            log,
            device,
            epoch,
            ranges,
            last,
            time,
            deadline,
            refused,
            ids,
        })
    }
}

fn read_ranges(r: &mut Reader<'_>) -> Result<Vec<(u64, u64)>, CborError> {
    let count = r.array("ranges", RANGES_MAX)?;
    let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(count);
    for _ in 0..count {
        r.array_of("range", 2)?;
        let (from, to) = (r.uint("from")?, r.uint("to")?);
        let apart = ranges.last().is_none_or(|(_, before)| *before + 1 < from);
        if from > to || to - from >= IDS_MAX as u64 || !apart {
            return Err(CborError::Limit("ranges"));
        }
        ranges.push((from, to));
    }
    if ranges.is_empty() {
        Err(CborError::Limit("ranges"))
    } else {
        Ok(ranges)
    }
}

fn read_refused(r: &mut Reader<'_>) -> Result<Vec<(u64, u64, String)>, CborError> {
    let count = r.array("refused", REFUSED_MAX)?;
    let mut list: Vec<(u64, u64, String)> = Vec::with_capacity(count);
    for _ in 0..count {
        r.array_of("refused row", 3)?;
        let row = (
            r.uint("seq")?,
            r.uint("event index")?,
            r.text("code", 32)?.to_owned(),
        );
        if list
            .last()
            .is_some_and(|last| (last.0, last.1) >= (row.0, row.1))
        {
            return Err(CborError::Limit("refused"));
        }
        list.push(row);
    }
    Ok(list)
}

/// One statement's place in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// Statement id.
    pub id: Hash,
    /// Place in the batch.
    pub index: u64,
    /// Path in the batch.
    pub path: Vec<Hash>,
}

/// Proof that statements are under a witnessed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Log entry of the batch header.
    pub header: Vec<u8>,
    /// Its place in the log.
    pub log_index: u64,
    /// Its path in the log.
    pub log_path: Vec<Hash>,
    /// The checkpoint as served.
    pub checkpoint: Vec<u8>,
    /// The statements, 1 to 1,024.
    pub statements: Vec<Included>,
}

/// An inclusion that does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InclusionError {
    /// The form is broken.
    #[error("not the form of an inclusion")]
    Form(#[from] CborError),
    /// The checkpoint does not count.
    #[error("its checkpoint does not count")]
    Checkpoint(#[from] NoteError),
    /// The header is none of this log.
    #[error("its header is refused")]
    Header(#[from] EntryError),
    /// The header is not in the log.
    #[error("its header is not under the checkpoint")]
    Log(#[from] ProofError),
    /// A statement is not in the batch.
    #[error("a statement is not in the batch")]
    Batch(#[from] PathError),
}

impl Inclusion {
    fn write(&self, w: &mut Writer) {
        w.map(5)
            .uint(0)
            .bytes(&self.header)
            .uint(1)
            .uint(self.log_index);
        w.uint(2);
        write_path(w, &self.log_path);
        w.uint(3)
            .bytes(&self.checkpoint)
            .uint(4)
            .array(self.statements.len());
        for row in &self.statements {
            w.array(3).bytes(&row.id.0).uint(row.index);
            write_path(w, &row.path);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut keys = r.map("inclusion")?;
        keys.required(r, 0)?;
        let header = r.bytes("header", ENTRY_MAX)?.to_vec();
        keys.required(r, 1)?;
        let log_index = r.uint("log index")?;
        keys.required(r, 2)?;
        let log_path = read_path(r)?;
        keys.required(r, 3)?;
        let checkpoint = r.bytes("checkpoint", NOTE_MAX)?.to_vec();
        keys.required(r, 4)?;
        let count = r.array("statements", IDS_MAX)?;
        let mut statements = Vec::with_capacity(count);
        for _ in 0..count {
            r.array_of("statement", 3)?;
            let (id, index) = (r.hash("id")?, r.uint("index")?);
            statements.push(Included {
                id,
                index,
                path: read_path(r)?,
            });
        }
        keys.end()?;
        Ok(Self {
            header,
            log_index,
            log_path,
            checkpoint,
            statements,
        })
    }

    /// Checks everything that the device can check by itself; the ids that it names are the
    /// caller's to compare with its own.
    ///
    /// # Errors
    /// [`InclusionError`].
    pub fn verify(&self, policy: &Policy) -> Result<Witnessed, InclusionError> {
        let witnessed = Note::parse(&self.checkpoint)?.check_served(policy)?;
        let Entry::Header(header) = Entry::parse(&self.header)? else {
            return Err(EntryError::Rule("the entry is no batch header").into());
        };
        if header.log != policy.log {
            return Err(EntryError::Rule("the header is of another log").into());
        }
        let (size, root) = (witnessed.checkpoint.size, witnessed.checkpoint.root);
        tlog::verify_inclusion(
            entry_hash(&self.header),
            self.log_index,
            size,
            &self.log_path,
            root,
        )?;
        for row in &self.statements {
            merkle::verify(row.id, row.index, header.statements, &row.path, header.root)?;
        }
        Ok(witnessed)
    }
}

fn write_path(w: &mut Writer, path: &[Hash]) {
    w.array(path.len());
    for hash in path {
        w.bytes(&hash.0);
    }
}

fn read_path(r: &mut Reader<'_>) -> Result<Vec<Hash>, CborError> {
    let count = r.array("path", PATH_MAX)?;
    (0..count).map(|_| r.hash("path")).collect()
}

/// A message on the receipt topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Kind 0: COSE bytes of a receipt.
    Receipt(Vec<u8>),
    /// Kind 1.
    Inclusion(Inclusion),
}

impl Reply {
    /// Wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Receipt(bytes) => {
                w.array(2).uint(0).bytes(bytes);
            }
            Self::Inclusion(inclusion) => {
                w.array(2).uint(1);
                inclusion.write(&mut w);
            }
        }
        w.finish()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > crate::statement::MESSAGE_MAX {
            return Err(CborError::Limit("message"));
        }
        let mut r = Reader::new(bytes);
        r.array_of("reply", 2)?;
        let reply = match r.uint("kind")? {
            0 => Self::Receipt(r.bytes("receipt", RECEIPT_MAX)?.to_vec()),
            1 => Self::Inclusion(Inclusion::read(&mut r)?),
            _ => return Err(CborError::Limit("kind")),
        };
        r.end()?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_counts_only_from_its_key_and_names_every_id() {
        let key = SecretKey::from_seed(&[8; 32]);
        let receipt = Receipt {
            log: Hash([1; 32]),
            device: "a/b".parse().unwrap(),
            epoch: 0,
            ranges: vec![(0, 1), (3, 3)],
            last: Hash([4; 32]),
            time: Instant::from_seconds(5),
            deadline: Instant::from_seconds(65),
            refused: vec![(1, 0, "action".into())],
            ids: vec![Hash([2; 32]), Hash([3; 32]), Hash([4; 32])],
        };
        let bytes = receipt.sign(&key);
        assert_eq!(Receipt::open(&bytes, &key.public()), Ok(receipt.clone()));
        assert!(Receipt::open(&bytes, &SecretKey::from_seed(&[9; 32]).public()).is_err());
        let short = Receipt {
            ids: vec![Hash([4; 32])],
            ..receipt
        };
        assert!(Receipt::open(&short.sign(&key), &key.public()).is_err());
        let reply = Reply::Receipt(bytes);
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
}
