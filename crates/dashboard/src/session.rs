//! Signed sessions: a cookie that says who somebody is, since when, and which token their forms must carry.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use billwright_domain::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{text::Text, users::Users};

/// No session lasts longer, however busy.
const LONGEST: TimeDelta = TimeDelta::hours(12);
/// A session is written anew at most this often.
const RENEWED_AFTER: TimeDelta = TimeDelta::seconds(60);
/// How long the message after an action waits for the next page.
const FLASH_LASTS: TimeDelta = TimeDelta::seconds(120);

/// A session, as it lies signed in the cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Unique.
    pub(crate) id: String,
    /// Who it is; nobody before they sign in.
    pub(crate) name: Option<String>,
    /// The fingerprint of the password with which they signed in.
    proof: Option<String>,
    /// What every form must carry.
    pub(crate) csrf: String,
    began: i64,
    seen: i64,
}

/// The message that the next page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flash {
    /// Whether it tells of a success.
    pub(crate) good: bool,
    /// What it says.
    pub(crate) text: Text,
    until: i64,
}

/// The key of sessions cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`DASHBOARD_SESSION_KEY` cannot be used as a key; set at least 32 random characters, or nothing")]
pub struct SessionKeyProblem;

/// Makes, signs and reads sessions.
pub(crate) struct Sessions {
    signing: EncodingKey,
    checking: DecodingKey,
    idle: TimeDelta,
    clock: Arc<dyn Clock>,
    /// Sessions that their owners ended, here or in another process, with the time after which they would have ended anyway.
    ended: Mutex<HashMap<String, i64>>,
}

impl Sessions {
    pub(crate) fn new(
        key: Option<&SecretString>,
        idle: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SessionKeyProblem> {
        let key = key.map_or_else(random, |key| key.expose_secret().to_owned());
        Ok(Self {
            signing: EncodingKey::from_secret(key.as_bytes()).map_err(|_| SessionKeyProblem)?,
            checking: DecodingKey::from_secret(key.as_bytes()).map_err(|_| SessionKeyProblem)?,
            idle: TimeDelta::from_std(idle).unwrap_or(LONGEST),
            clock,
            ended: Mutex::default(),
        })
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// A session of nobody yet, for the token of the form with which they sign in.
    pub(crate) fn anonymous(&self) -> Session {
        Session {
            id: random(),
            name: None,
            proof: None,
            csrf: random(),
            began: self.now(),
            seen: self.now(),
        }
    }

    /// A session of somebody who proved who they are.
    pub(crate) fn signed_in(&self, name: &str, users: &Users) -> Session {
        Session {
            name: Some(name.to_owned()),
            proof: users.fingerprint(name),
            ..self.anonymous()
        }
    }

    /// The text of the cookie.
    pub(crate) fn seal(&self, session: &Session) -> String {
        self.sign(session)
    }

    /// The session in a cookie: signed by us, not ended, not idle for too long, and of somebody who still may sign in.
    pub(crate) fn open(&self, cookie: &str, users: Option<&Users>) -> Option<Session> {
        let session: Session = self.check(cookie)?;
        let now = self.now();
        let alive = now < self.end_of(&session).timestamp() && !self.was_ended(&session);
        let still_there = match (&session.name, users) {
            (None, _) => true,
            (Some(name), Some(users)) => session.proof.is_some() && users.fingerprint(name) == session.proof,
            (Some(_), None) => false,
        };
        (alive && still_there).then_some(session)
    }

    /// When a session ends if nothing more is asked in it.
    pub(crate) fn end_of(&self, session: &Session) -> DateTime<Utc> {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        (at(session.seen) + self.idle).min(at(session.began) + LONGEST)
    }

    /// The same session with a new last moment, if it is worth writing.
    pub(crate) fn renewed(&self, session: &Session) -> Option<Session> {
        let now = self.now();
        (now - session.seen >= RENEWED_AFTER.num_seconds().min(self.idle.num_seconds() / 4)).then(|| Session {
            seen: now,
            ..session.clone()
        })
    }

    /// Ends a session, so that its cookie opens nothing any more. Returns when it would have ended at the latest, until when
    /// this is to be remembered.
    pub(crate) fn end(&self, session: &Session) -> DateTime<Utc> {
        let until = DateTime::from_timestamp(session.began, 0).unwrap_or_default() + LONGEST;
        self.learn_ended([(session.id.clone(), until)]);
        until
    }

    /// Takes these sessions for ended.
    pub(crate) fn learn_ended(&self, sessions: impl IntoIterator<Item = (String, DateTime<Utc>)>) {
        let now = self.now();
        let mut ended = self.ended();
        ended.extend(sessions.into_iter().map(|(id, until)| (id, until.timestamp())));
        ended.retain(|_, until| *until > now);
    }

    /// Whether the session's owner ended it.
    pub(crate) fn was_ended(&self, session: &Session) -> bool {
        self.ended().contains_key(&session.id)
    }

    fn ended(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text of the cookie with the message for the next page.
    pub(crate) fn seal_flash(&self, good: bool, text: Text) -> String {
        self.sign(&Flash {
            good,
            text,
            until: self.now() + FLASH_LASTS.num_seconds(),
        })
    }

    /// The message in a cookie.
    pub(crate) fn open_flash(&self, cookie: &str) -> Option<Flash> {
        self.check(cookie).filter(|flash: &Flash| self.now() < flash.until)
    }

    fn sign(&self, claims: &impl Serialize) -> String {
        // Signing text with a shared secret cannot fail; an empty cookie opens nothing.
        encode(&Header::new(Algorithm::HS256), claims, &self.signing).unwrap_or_default()
    }

    fn check<T: DeserializeOwned + Clone>(&self, cookie: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked above, by the clock that tests can move.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        decode::<T>(cookie, &self.checking, &validation)
            .ok()
            .map(|token| token.claims)
    }
}

/// 256 bits that nobody guesses.
fn random() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use billwright_domain::MockClock;

    use super::*;
    use crate::users::{Role, entry};

    fn sessions() -> (Sessions, MockClock, Users) {
        let clock = MockClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let sessions = Sessions::new(None, Duration::from_mins(30), Arc::new(clock.clone())).unwrap();
        let password = SecretString::from("correct horse");
        let users = entry("anna", Role::Operator, &password).unwrap().parse().unwrap();
        (sessions, clock, users)
    }

    #[test]
    fn a_session_ends_when_idle_and_at_the_latest_after_half_a_day() {
        let (sessions, clock, users) = sessions();
        let mut session = sessions.signed_in("anna", &users);
        clock.advance(TimeDelta::minutes(29));
        assert!(sessions.open(&sessions.seal(&session), Some(&users)).is_some());
        clock.advance(TimeDelta::minutes(2));
        assert!(sessions.open(&sessions.seal(&session), Some(&users)).is_none());
        session = sessions.signed_in("anna", &users);
        for _ in 0..47 {
            clock.advance(TimeDelta::minutes(15));
            session = sessions.renewed(&session).unwrap();
            assert!(sessions.open(&sessions.seal(&session), Some(&users)).is_some());
        }
        clock.advance(TimeDelta::minutes(15));
        session = sessions.renewed(&session).unwrap();
        assert!(sessions.open(&sessions.seal(&session), Some(&users)).is_none());
    }

    #[test]
    fn a_session_is_of_no_use_once_ended_or_altered_or_after_a_new_password() {
        let (sessions, _, users) = sessions();
        let session = sessions.signed_in("anna", &users);
        let cookie = sessions.seal(&session);
        assert_eq!(sessions.open(&cookie, Some(&users)), Some(session.clone()));
        let mut altered = cookie.clone().into_bytes();
        let middle = altered.len() / 2;
        altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
        assert!(
            sessions
                .open(&String::from_utf8(altered).unwrap(), Some(&users))
                .is_none()
        );
        let other: Users = entry("anna", Role::Operator, &SecretString::from("new password"))
            .unwrap()
            .parse()
            .unwrap();
        assert!(sessions.open(&cookie, Some(&other)).is_none());
        assert!(sessions.open(&cookie, None).is_none());
        sessions.end(&session);
        assert!(sessions.open(&cookie, Some(&users)).is_none());
    }

    #[test]
    fn a_message_is_no_session() {
        let (sessions, _, users) = sessions();
        let flash = sessions.seal_flash(true, Text::of("flash-done"));
        assert!(sessions.open(&flash, Some(&users)).is_none());
        assert!(sessions.open_flash(&flash).is_some());
    }
}
