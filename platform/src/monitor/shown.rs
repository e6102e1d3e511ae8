//! Records as the platform shows them and a monitor reads them.

use serde::{Deserialize, Serialize};

/// `GET /v1/registry/organisations` and `/v1/registry/records/{organisation}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// Registry version at which these are the newest records.
    pub version: u64,
    /// Records with their salts.
    pub records: Vec<ShownRecord>,
}

/// A record with the salt of its leaf.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownRecord {
    /// COSE bytes, base64.
    #[serde(with = "schemas::b64")]
    pub record: Vec<u8>,
    /// 16 bytes, base64.
    #[serde(with = "schemas::b64")]
    pub salt: Vec<u8>,
}
