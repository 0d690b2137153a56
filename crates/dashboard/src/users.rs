//! The people who may use the dashboard: the list in `DASHBOARD_USERS`, and their passwords.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::LazyLock};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The shortest password that is taken.
pub const SHORTEST_PASSWORD: usize = 10;
/// The longest password that is hashed, so that nobody keeps the machine busy with a huge one.
pub const LONGEST_PASSWORD: usize = 256;
/// The longest name.
const LONGEST_NAME: usize = 64;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Look and act.
    Operator,
}

impl Role {
    /// The role's word, as in `DASHBOARD_USERS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UsersProblem;

    fn from_str(text: &str) -> Result<Self, UsersProblem> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            _ => Err(UsersProblem("a role: `viewer` or `operator`".to_owned())),
        }
    }
}

/// What was expected of a list of users, a name or a password; what was found is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsersProblem(String);

#[derive(Clone)]
struct User {
    role: Role,
    hash: String,
}

/// The people who may use the dashboard.
#[derive(Clone)]
pub struct Users(BTreeMap<String, User>);

impl fmt::Debug for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromStr for Users {
    type Err = UsersProblem;

    /// Reads `name:role:hash` entries. They are separated by white space or by a comma; a comma within a hash, as in
    /// `m=19456,t=2,p=1`, separates nothing, since what follows it is no entry.
    fn from_str(text: &str) -> Result<Self, UsersProblem> {
        let mut entries: Vec<String> = Vec::new();
        for piece in text.split([',', ' ', '\n', '\t']).filter(|piece| !piece.is_empty()) {
            match entries.last_mut() {
                Some(last) if !piece.contains(':') => {
                    last.push(',');
                    last.push_str(piece);
                }
                _ => entries.push(piece.to_owned()),
            }
        }
        let mut users = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let expected = |what: &str| UsersProblem(format!("{what} in entry {} of `name:role:hash`", index + 1));
            let mut parts = entry.splitn(3, ':');
            let (Some(name), Some(role), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(expected("three parts"));
            };
            check_name(name).map_err(|problem| expected(&problem.0))?;
            let role = role.parse().map_err(|problem: UsersProblem| expected(&problem.0))?;
            let is_hash = PasswordHash::new(hash).is_ok_and(|parsed| parsed.algorithm.as_str() == "argon2id");
            if !is_hash {
                return Err(expected("an argon2id hash, as `billwright dashboard-user` prints it,"));
            }
            let user = User {
                role,
                hash: hash.to_owned(),
            };
            if users.insert(name.to_owned(), user).is_some() {
                return Err(expected("a name that stands only once"));
            }
        }
        if users.is_empty() {
            return Err(UsersProblem("entries `name:role:hash`".to_owned()));
        }
        Ok(Self(users))
    }
}

impl Users {
    /// The role of a user, if there is one of that name.
    pub(crate) fn role(&self, name: &str) -> Option<Role> {
        self.0.get(name).map(|user| user.role)
    }

    /// Changes with the user's password, so that sessions from before the change end.
    pub(crate) fn fingerprint(&self, name: &str) -> Option<String> {
        let hash = &self.0.get(name)?.hash;
        Some(hex::encode(&Sha256::digest(hash.as_bytes())[..8]))
    }

    /// Whether this is the password of this user. Takes as long for a name that does not exist.
    pub(crate) fn verify(&self, name: &str, password: &str) -> bool {
        static NOBODY: LazyLock<String> = LazyLock::new(|| hash_of("nobody has this password").unwrap_or_default());
        let user = self.0.get(name);
        let hash = user.map_or(NOBODY.as_str(), |user| user.hash.as_str());
        let Ok(hash) = PasswordHash::new(hash) else {
            return false;
        };
        let fits = password.len() <= LONGEST_PASSWORD;
        let tried = if fits { password } else { "" };
        let matches = Argon2::default().verify_password(tried.as_bytes(), &hash).is_ok();
        matches && fits && user.is_some()
    }
}

fn check_name(name: &str) -> Result<(), UsersProblem> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-@".contains(letter));
    if fits {
        Ok(())
    } else {
        Err(UsersProblem(format!(
            "a name of 1 to {LONGEST_NAME} letters, digits, `.`, `_`, `-`, `@`"
        )))
    }
}

/// The entry for `DASHBOARD_USERS` of a person with this password.
pub fn entry(name: &str, role: Role, password: &SecretString) -> Result<String, UsersProblem> {
    check_name(name)?;
    let password = password.expose_secret();
    let length = password.chars().count();
    if length < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
        return Err(UsersProblem(format!(
            "a password of at least {SHORTEST_PASSWORD} characters and at most {LONGEST_PASSWORD} bytes"
        )));
    }
    let hash = hash_of(password).ok_or_else(|| UsersProblem("a password that can be hashed".to_owned()))?;
    Ok(format!("{name}:{role}:{hash}"))
}

fn hash_of(password: &str) -> Option<String> {
    let salt: [u8; 16] = rand::random();
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .ok()?;
    Some(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, role: Role, password: &str) -> String {
        entry(name, role, &SecretString::from(password)).unwrap()
    }

    #[test]
    fn a_printed_entry_lets_its_owner_in_and_nobody_else() {
        let list = format!(
            "{},{}",
            made("anna", Role::Operator, "correct horse"),
            made("bob", Role::Viewer, "battery staple")
        );
        let users: Users = list.parse().unwrap();
        assert_eq!(users.role("anna"), Some(Role::Operator));
        assert_eq!(users.role("bob"), Some(Role::Viewer));
        assert!(users.verify("anna", "correct horse"));
        assert!(!users.verify("anna", "battery staple"));
        assert!(!users.verify("carl", "nobody has this password"));
        assert!(!users.verify("anna", &"x".repeat(LONGEST_PASSWORD + 1)));
        assert_ne!(users.fingerprint("anna"), users.fingerprint("bob"));
        assert!(!format!("{users:?}").contains("argon2"));
    }

    #[test]
    fn a_wrong_list_is_refused_with_what_was_expected() {
        let good = made("anna", Role::Viewer, "correct horse");
        let wrong = [
            ("", "entries"),
            ("anna", "three parts"),
            ("anna:boss:x", "`viewer` or `operator`"),
            ("anna:viewer:secret", "argon2id"),
            ("an na:viewer:x", "three parts"),
            (&format!("{good} {good}"), "only once"),
        ];
        for (list, expected) in wrong {
            let problem = list.parse::<Users>().unwrap_err().to_string();
            assert!(problem.contains(expected), "{list}: {problem}");
            assert!(!problem.contains("secret"));
        }
    }

    #[test]
    fn short_passwords_are_refused() {
        assert!(entry("anna", Role::Viewer, &SecretString::from("short")).is_err());
        assert!(entry("an:na", Role::Viewer, &SecretString::from("long enough")).is_err());
    }
}
