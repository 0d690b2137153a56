//! Keys of the API: named, hashed, for reading or for reading and writing, several at a time.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::access::{Caller, Scope};

/// The keys that give access. Reads `name:scope:sha256`, separated by commas, where `scope` is `read` or `write` (which
/// includes reading) and `sha256` the hash of the key as 64 hexadecimal digits.
///
/// Keys are long and random, so that a plain SHA-256 of one cannot be guessed back, and costs nothing per request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

#[derive(Clone, PartialEq, Eq)]
struct ApiKey {
    name: String,
    scope: Scope,
    hash: [u8; 32],
}

/// Why a list of keys cannot be read. Never repeats a hash or what may be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeysProblem {
    /// An entry does not have its three parts.
    #[error(
        "entry {position}: found {found} parts separated by `:`, expected three: `name:scope:sha256` (hash a key with \
         `printf %s KEY | sha256sum`)"
    )]
    Parts {
        /// Which entry, from one.
        position: usize,
        /// How many parts were found.
        found: usize,
    },
    /// The name is empty, has other characters than allowed, or is used twice.
    #[error("entry {position}: expected a name of letters, digits, `-`, `_` and `.` that no other key has")]
    Name {
        /// Which entry, from one.
        position: usize,
    },
    /// The scope is unknown.
    #[error("entry {position}: expected the scope `read` or `write`")]
    Scope {
        /// Which entry, from one.
        position: usize,
    },
    /// The hash is no hash.
    #[error("entry {position}: expected the SHA-256 of the key as 64 hexadecimal digits, found {length} characters")]
    Hash {
        /// Which entry, from one.
        position: usize,
        /// How long the text is that was found instead.
        length: usize,
    },
}

impl ApiKeys {
    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| &*key.name)
    }

    /// Whose key this is. Every key is compared, in constant time, so that the answer's time tells nothing.
    pub(crate) fn caller(&self, key: &str) -> Option<Caller> {
        let hash = sha256(key);
        let mut found = None;
        for candidate in &self.0 {
            if bool::from(candidate.hash.ct_eq(&hash)) {
                found = Some(candidate);
            }
        }
        found.map(|key| Caller {
            name: format!("key:{}", key.name),
            scope: key.scope,
        })
    }
}

/// The hash of a key, as it belongs into the list.
pub fn hash_of_key(key: &str) -> String {
    hex::encode(sha256(key))
}

fn sha256(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl FromStr for ApiKeys {
    type Err = ApiKeysProblem;

    fn from_str(text: &str) -> Result<Self, ApiKeysProblem> {
        let mut keys: Vec<ApiKey> = Vec::new();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (entry, position) in entries.zip(1..) {
            let parts: Vec<&str> = entry.split(':').map(str::trim).collect();
            let [name, scope, digits] = parts[..] else {
                let found = parts.len();
                return Err(ApiKeysProblem::Parts { position, found });
            };
            let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
            if name.is_empty() || !name.chars().all(plain) || keys.iter().any(|key| key.name == name) {
                return Err(ApiKeysProblem::Name { position });
            }
            let scope = match scope {
                "read" => Scope::Read,
                "write" => Scope::Write,
                _ => return Err(ApiKeysProblem::Scope { position }),
            };
            let mut hash = [0; 32];
            if hex::decode_to_slice(digits, &mut hash).is_err() {
                let length = digits.chars().count();
                return Err(ApiKeysProblem::Hash { position, length });
            }
            let name = name.to_owned();
            keys.push(ApiKey { name, scope, hash });
        }
        Ok(Self(keys))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> ApiKeys {
        let (read, write) = (hash_of_key("reads"), hash_of_key("writes"));
        format!("reports:read:{read}, shop:write:{write}").parse().unwrap()
    }

    #[test]
    fn tells_whose_key_it_is() {
        assert_eq!(keys().caller("reads").unwrap().scope, Scope::Read);
        assert_eq!(keys().caller("writes").unwrap().name, "key:shop");
        assert!(keys().caller("other").is_none() && keys().caller("").is_none());
    }

    #[test]
    fn says_what_is_wrong_with_a_list_without_repeating_it() {
        for (text, position) in [
            ("hunter2", 1),
            ("a:read:hunter2", 1),
            ("a:admin:00", 1),
            ("a b:read:00", 1),
        ] {
            let problem = text.parse::<ApiKeys>().unwrap_err().to_string();
            assert!(problem.contains(&format!("entry {position}")), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        let hash = hash_of_key("k");
        let twice = format!("a:read:{hash},a:write:{hash}");
        assert_eq!(twice.parse::<ApiKeys>(), Err(ApiKeysProblem::Name { position: 2 }));
        assert!("".parse::<ApiKeys>().unwrap().is_empty());
    }

    #[test]
    fn does_not_print_hashes() {
        assert_eq!(format!("{:?}", keys()), r#"["reports", "shop"]"#);
    }
}
