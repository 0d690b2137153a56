//! The version of a stored document, by which a client says what it believes to change.

use std::fmt;

use bson::RawDocument;
use sha2::{Digest, Sha256};

/// Stands for the exact content of a document: two documents with the same version are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version([u8; 16]);

impl Version {
    /// The version of `document`.
    pub fn of(document: &RawDocument) -> Self {
        let digest = Sha256::digest(document.as_bytes());
        let mut version = [0; 16];
        version.copy_from_slice(&digest[..16]);
        Self(version)
    }

    /// Reads a version from the 32 hexadecimal digits as which it shows itself.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut version = [0; 16];
        hex::decode_to_slice(digits, &mut version).ok()?;
        Some(Self(version))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Version({self})")
    }
}

/// What the stored document must be for a change to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// It must exist, whatever its version.
    Exists,
    /// It must have one of these versions.
    OneOf(Vec<Version>),
}

impl Precondition {
    /// Whether `document` is as expected.
    pub fn holds_for(&self, document: &RawDocument) -> bool {
        match self {
            Self::Exists => true,
            Self::OneOf(versions) => versions.contains(&Version::of(document)),
        }
    }
}
