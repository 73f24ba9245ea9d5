//! What ties a process's segments together: each names a digest of the one before, so that one which is taken away,
//! cut short or changed afterwards is missed.
//!
//! The digest is over the places and checksums of records, not over their bytes: it is made while a program waits.
//! Who can write to a segment can also make the chain anew; it shows what was done without that care. What a keeper
//! with other rights noted of a sealed segment is the stronger proof.

use sha2::{Digest as _, Sha256};

use super::format::read_u32;

/// What a segment says of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The earlier segment's number.
    pub number: u32,
    /// Up to where that segment's records are in the digest.
    pub end: u32,
    pub digest: [u8; 32],
}

impl Link {
    /// As the payload of a record.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.number.to_le_bytes()[..], &self.end.to_le_bytes(), &self.digest].concat()
    }

    /// What a payload says.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let digest = payload.get(8..40)?.try_into().ok()?;
        Some(Self { number: read_u32(payload, 0)?, end: read_u32(payload, 4)?, digest })
    }
}

/// The digest of records, each given by where it starts and its CRC-32.
#[must_use]
pub fn digest(records: impl Iterator<Item = (u32, u32)>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (offset, checksum) in records {
        hasher.update(offset.to_le_bytes());
        hasher.update(checksum.to_le_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let link = Link { number: 3, end: 4096, digest: digest([(256, 7), (300, 9)].into_iter()) };
        assert_eq!(Link::read(&link.to_bytes()), Some(link));
        assert_eq!(Link::read(&[0; 39]), None);
        assert_ne!(digest([(256, 7)].into_iter()), digest([(256, 8)].into_iter()));
    }
}
