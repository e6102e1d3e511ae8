//! The rows of a whole file, one at a time in bounded memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::Value;

use super::row::Row;
use crate::config::{FileFormat, FolderConfig};

/// Longest row in bytes.
const ROW_MAX: usize = crate::compose::line::LINE_MAX;
/// Most columns of a CSV file.
const COLUMNS_MAX: usize = 256;
/// Largest file of format `json`, which is read at once, in bytes; other formats are read row by
/// row.
const JSON_MAX: u64 = 1024 * 1024;

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum FileError {
    Io(std::io::Error),
    /// It is not what the configuration says: the reason in words.
    Refused(String),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads rows.
pub(super) enum Rows {
    Csv(Box<Csv>),
    Json(std::vec::IntoIter<Value>),
    Lines(BufReader<File>),
}

impl Rows {
    /// Opens a file of at most `size_max` bytes.
    pub fn open(path: &Path, config: &FolderConfig, size_max: u64) -> Result<Self, FileError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let size_max = match config.format {
            FileFormat::Json => JSON_MAX,
            _ => size_max,
        };
        if size > size_max {
            let reason = format!("the file has {size} bytes, at most {size_max} are read");
            return Err(FileError::Refused(reason));
        }
        match config.format {
            FileFormat::Csv { delimiter, header } => {
                let csv = Csv::open(file, delimiter, header, config)?;
                Ok(Self::Csv(Box::new(csv)))
            }
            FileFormat::Json => json(file),
            FileFormat::Lines => Ok(Self::Lines(BufReader::new(file))),
        }
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Row>, FileError> {
        match self {
            Self::Csv(csv) => Ok(csv.next()?),
            Self::Json(values) => Ok(values.next().map(Row::Object)),
            Self::Lines(file) => Ok(line(file)?),
        }
    }
}

fn json(mut file: File) -> Result<Rows, FileError> {
    let mut bytes = Vec::new();
    // It may have grown since.
    (&mut file).take(JSON_MAX).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| FileError::Refused("not UTF-8".to_owned()))?;
    let refused = |reason: String| FileError::Refused(format!("not JSON: {reason}"));
    let text = text.trim_start_matches('\u{feff}').trim();
    schemas::ijson::check_value(text, 1).map_err(|error| refused(error.to_string()))?;
    let value = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
    Ok(Rows::Json(match value {
        Value::Array(list) => list.into_iter(),
        other => vec![other].into_iter(),
    }))
}

/// One line; an empty one is passed over, an overlong one is bad.
fn line(file: &mut BufReader<File>) -> std::io::Result<Option<Row>> {
    loop {
        let mut bytes = Vec::new();
        let count = file
            .take(ROW_MAX as u64 + 1)
            .read_until(b'\n', &mut bytes)?;
        if count == 0 {
            return Ok(None);
        }
        if count > ROW_MAX && !bytes.ends_with(b"\n") {
            skip_line(file)?;
            let reason = format!("longer than {ROW_MAX} bytes");
            return Ok(Some(Row::bad(reason, &bytes)));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        return Ok(Some(match serde_json::from_slice(&bytes) {
            Ok(value) => Row::Object(value),
            Err(error) => Row::bad(format!("not JSON: {error}"), &bytes),
        }));
    }
}

fn skip_line(file: &mut BufReader<File>) -> std::io::Result<()> {
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        file.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// RFC 4180 with any delimiter.
pub(super) struct Csv {
    file: BufReader<File>,
    reader: Reader,
    names: Vec<String>,
    /// A row that was read to see its columns, where the file has no header.
    first: Option<Row>,
}

/// A record as it was read.
enum Record {
    Fields(Vec<Vec<u8>>),
    TooLong(Vec<u8>),
}

impl Csv {
    fn open(
        file: File,
        delimiter: u8,
        header: bool,
        config: &FolderConfig,
    ) -> Result<Self, FileError> {
        let mut csv = Self {
            file: BufReader::new(file),
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            names: Vec::new(),
            first: None,
        };
        let fields = match csv.record()? {
            Some(Record::Fields(fields)) => fields,
            Some(Record::TooLong(_)) => {
                return Err(FileError::Refused(format!(
                    "its first row has more than {ROW_MAX} bytes"
                )));
            }
            None => return Ok(csv),
        };
        if header {
            let name = |field: &Vec<u8>| {
                let name = String::from_utf8_lossy(field);
                name.trim_start_matches('\u{feff}').trim().to_owned()
            };
            csv.names = fields.iter().map(name).collect();
        } else {
            csv.names = (1..=fields.len())
                .map(|number| number.to_string())
                .collect();
            csv.first = Some(csv.row(fields));
        }
        let missing = config
            .columns
            .names()
            .find(|wanted| !csv.names.iter().any(|name| name == wanted));
        match missing {
            Some(missing) => Err(FileError::Refused(format!("it has no column `{missing}`"))),
            None => Ok(csv),
        }
    }

    fn next(&mut self) -> std::io::Result<Option<Row>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        Ok(match self.record()? {
            Some(Record::Fields(fields)) => Some(self.row(fields)),
            Some(Record::TooLong(bytes)) => {
                Some(Row::bad(format!("longer than {ROW_MAX} bytes"), &bytes))
            }
            None => None,
        })
    }

    fn row(&self, fields: Vec<Vec<u8>>) -> Row {
        let texts: Result<Vec<String>, _> = fields.iter().cloned().map(String::from_utf8).collect();
        match texts {
            Ok(texts) if texts.len() == self.names.len() => {
                Row::Fields(self.names.iter().cloned().zip(texts).collect())
            }
            Ok(texts) => {
                let reason = format!(
                    "has {} columns, the first row has {}",
                    texts.len(),
                    self.names.len()
                );
                Row::bad(reason, &fields.join(&b';'))
            }
            Err(_) => Row::bad("not UTF-8".to_owned(), &fields.join(&b';')),
        }
    }

    /// The next record, whatever its length, in a buffer of fixed size.
    fn record(&mut self) -> std::io::Result<Option<Record>> {
        let (mut output, mut ends) = (vec![0; ROW_MAX], vec![0; COLUMNS_MAX]);
        let (mut written, mut columns, mut too_long) = (0, 0, false);
        loop {
            let input = self.file.fill_buf()?;
            let (result, read, wrote, ended) =
                self.reader
                    .read_record(input, &mut output[written..], &mut ends[columns..]);
            self.file.consume(read);
            written += wrote;
            columns += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    too_long = true;
                    (written, columns) = (0, 0);
                }
                ReadRecordResult::Record if too_long => {
                    output.truncate(written.max(ROW_MAX / 4));
                    return Ok(Some(Record::TooLong(output)));
                }
                ReadRecordResult::Record => {
                    let mut begin = 0;
                    let mut field = |&end: &usize| {
                        let field = output.get(begin..end).unwrap_or_default().to_vec();
                        begin = end;
                        field
                    };
                    let fields = ends[..columns].iter().map(&mut field).collect();
                    return Ok(Some(Record::Fields(fields)));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::{Config, SourceConfig};

    fn config(fields: &str) -> FolderConfig {
        let text = format!(
            "state = \"/tmp/x\"\n[[source]]\ntype = \"folder\"\npath = \"/tmp/drop\"\n\
             step = \"storing\"\nplace = \"https://id.gs1.org/414/9521001000024\"\n{fields}\n"
        );
        let config = Config::parse("a.toml", &text).expect("config");
        match config.sources.into_iter().next() {
            Some(SourceConfig::Folder(folder)) => folder,
            other => panic!("{other:?}"),
        }
    }

    fn rows(config: &FolderConfig, bytes: &[u8]) -> Result<Vec<Result<String, String>>, String> {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        file.write_all(bytes).expect("written");
        let refused = |error| match error {
            FileError::Refused(reason) => reason,
            FileError::Io(error) => error.to_string(),
        };
        let mut rows = Rows::open(file.path(), config, 1 << 20).map_err(refused)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push(row.line(config, 480));
        }
        Ok(found)
    }

    const ITEM: &str = "https://id.gs1.org/01/09521001000017/21/S1";

    #[test]
    fn columns_of_a_machine_become_a_line() {
        let config = config(
            "format = \"csv\"\ndelimiter = \";\"\ndecimal_comma = true\n\
             time_format = \"%d.%m.%Y %H:%M:%S\"\n\
             [source.columns]\nitem = \"Code\"\nquantity = \"Menge\"\nuom = \"ME\"\n\
             time = \"Zeit\"\nstep = \"Schritt\"\n\
             [source.columns.extra]\n\"tb:operator\" = \"Bediener\"\n\
             [source.steps]\nEinlagern = \"storing\"",
        );
        let text = "\u{feff}Code;Menge;ME;Zeit;Schritt;Bediener\r\n\
             010952100100001710L1;2,5;KGM;22.11.2026 08:00:00;Einlagern;\"A; \"\"B\"\"\"\r\n\
             9521001000017;3;;22.11.2026 08:00:01;Einlagern;\r\n\
             9521001000018;3;;;Einlagern;\r\n\
             9521001000017;viel;;;Einlagern;\r\n\
             9521001000017;1;;gestern;Einlagern;\r\n\
             9521001000017;1\r\n";
        let found = rows(&config, text.as_bytes()).expect("rows");
        let line = r#"{"step":"storing","items":[{"id":"https://id.gs1.org/01/09521001000017/10/L1","quantity":2.5,"uom":"KGM"}],"time":"2026-11-22T08:00:00+08:00","extra":{"tb:operator":"A; \"B\""}}"#;
        assert_eq!(found[0].as_deref(), Ok(line));
        let line = r#"{"step":"storing","items":[{"id":"https://id.gs1.org/01/09521001000017","quantity":3}],"time":"2026-11-22T08:00:01+08:00"}"#;
        assert_eq!(found[1].as_deref(), Ok(line));
        for (row, reason) in [
            (2, "check digit"),
            (3, "quantity `viel`"),
            (4, "time `gestern`"),
            (5, "has 2 columns"),
        ] {
            let problem = found[row].as_ref().expect_err("bad");
            assert!(problem.contains(reason), "{row}: {problem}");
        }
        assert_eq!(rows(&config, b"").expect("empty"), []);
        let refused = rows(&config, b"Code;Menge\n1;2\n").expect_err("refused");
        assert_eq!(refused, "it has no column `ME`");
    }

    #[test]
    fn json_is_read_as_a_list_or_line_by_line() {
        let json = config("format = \"json\"\n[source.columns]\nitem = \"/code/text\"");
        let one = format!("{{\"code\":{{\"text\":\"{ITEM}\"}}}}");
        let line = format!("{{\"step\":\"storing\",\"items\":[\"{ITEM}\"]}}");
        let list = format!("[{one},{{}},5]");
        let found = rows(&json, list.as_bytes()).expect("rows");
        assert_eq!(found[0], Ok(line.clone()));
        assert!(found[1].is_err() && found[2].is_err());
        assert_eq!(
            rows(&json, one.as_bytes()).expect("one"),
            [Ok(line.clone())]
        );
        for broken in ["[", "{\"a\":1,\"a\":2}", "not json"] {
            assert!(rows(&json, broken.as_bytes()).is_err(), "{broken}");
        }
        let lines = config("format = \"lines\"\n[source.columns]\nitem = \"/code/text\"");
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(200_000));
        let text = format!("{one}\n\n{long}\nnot json\n{one}");
        let found = rows(&lines, text.as_bytes()).expect("rows");
        assert_eq!(found.len(), 4);
        assert_eq!((&found[0], &found[3]), (&Ok(line.clone()), &Ok(line)));
        assert!(
            found[1]
                .as_ref()
                .is_err_and(|reason| reason.contains("longer"))
        );
        assert!(
            found[2]
                .as_ref()
                .is_err_and(|reason| reason.contains("not JSON"))
        );
    }

    #[test]
    fn a_quote_that_never_closes_fills_no_memory() {
        let config = config("format = \"csv\"\n[source.columns]\nitem = \"Code\"");
        let text = format!("Code\n{ITEM}\n\"{}", "x".repeat(500_000));
        let found = rows(&config, text.as_bytes()).expect("rows");
        assert_eq!(found.len(), 2);
        assert!(found[0].is_ok());
        assert!(
            found[1]
                .as_ref()
                .is_err_and(|reason| reason.contains("longer"))
        );
        let numbered = "format = \"csv\"\nheader = false\n[source.columns]\nitem = \"2\"";
        let text = format!("x,{ITEM}\ny,{ITEM}\n");
        let found = rows(&self::config(numbered), text.as_bytes()).expect("rows");
        assert_eq!(found.iter().filter(|row| row.is_ok()).count(), 2);
    }
}
