//! How to talk to the brokers: in the clear or by TLS, with or without a login.

use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

/// How to talk to the brokers. By default in the clear and without a login.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS, if the connection uses it.
    pub tls: Option<Tls>,
    /// The login, if the brokers ask for one.
    pub login: Option<Login>,
}

/// TLS towards the brokers.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// A file of certificates of authorities to trust, in PEM form; else the system's.
    pub authorities: Option<String>,
    /// A file with the client's own certificate, in PEM form.
    pub certificate: Option<String>,
    /// A file with the key of that certificate.
    pub key: Option<String>,
    /// The password of that key.
    pub key_password: Option<SecretString>,
}

/// A login by SASL.
#[derive(Debug, Clone)]
pub struct Login {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user's name.
    pub user_name: String,
    /// The password.
    pub password: SecretString,
}

/// How a password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// It is sent as it is: use it with TLS only.
    Plain,
    /// It is proved without being sent, with SHA-256.
    ScramSha256,
    /// It is proved without being sent, with SHA-512.
    ScramSha512,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableProblem {
    /// The variable.
    pub variable: &'static str,
    /// What was found; never a secret's value.
    pub found: String,
    /// What is expected.
    pub expected: &'static str,
}

const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
const MECHANISM: &str = "KAFKA_SASL_MECHANISM";
const USER_NAME: &str = "KAFKA_SASL_USERNAME";
const PASSWORD: &str = "KAFKA_SASL_PASSWORD";
const AUTHORITIES: &str = "KAFKA_SSL_CA_LOCATION";
const CERTIFICATE: &str = "KAFKA_SSL_CERTIFICATE_LOCATION";
const KEY: &str = "KAFKA_SSL_KEY_LOCATION";
const KEY_PASSWORD: &str = "KAFKA_SSL_KEY_PASSWORD";

/// The variables that [`Security::from_variables`] reads.
pub const VARIABLES: [&str; 8] = [
    PROTOCOL,
    MECHANISM,
    USER_NAME,
    PASSWORD,
    AUTHORITIES,
    CERTIFICATE,
    KEY,
    KEY_PASSWORD,
];

impl Security {
    /// Reads [`VARIABLES`] by `variable`, which gives a variable's value if it is set and not empty. Every problem is
    /// reported, not just the first.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<VariableProblem>> {
        let mut problems = Vec::new();
        let mut wrong = |variable, found: String, expected| {
            problems.push(VariableProblem {
                variable,
                found,
                expected,
            });
        };
        let protocol = variable(PROTOCOL).unwrap_or_else(|| "PLAINTEXT".to_owned());
        let (encrypted, login) = match protocol.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                wrong(
                    PROTOCOL,
                    format!("`{protocol}`"),
                    "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
                );
                return Err(problems);
            }
        };
        let mechanism = match variable(MECHANISM).map(|name| name.to_ascii_uppercase()).as_deref() {
            None | Some("PLAIN") => Mechanism::Plain,
            Some("SCRAM-SHA-256") => Mechanism::ScramSha256,
            Some("SCRAM-SHA-512") => Mechanism::ScramSha512,
            Some(other) => {
                wrong(MECHANISM, format!("`{other}`"), "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
                Mechanism::Plain
            }
        };
        let (user_name, password) = (variable(USER_NAME), variable(PASSWORD));
        if login {
            for (name, missing) in [(USER_NAME, user_name.is_none()), (PASSWORD, password.is_none())] {
                if missing {
                    wrong(
                        name,
                        "nothing".to_owned(),
                        "a value, since KAFKA_SECURITY_PROTOCOL asks for a login",
                    );
                }
            }
        } else if user_name.is_some() || password.is_some() {
            wrong(
                PROTOCOL,
                format!("`{protocol}`"),
                "SASL_SSL or SASL_PLAINTEXT, since a login is given",
            );
        }
        let tls = Tls {
            authorities: variable(AUTHORITIES),
            certificate: variable(CERTIFICATE),
            key: variable(KEY),
            key_password: variable(KEY_PASSWORD).map(SecretString::from),
        };
        if tls.certificate.is_some() != tls.key.is_some() {
            wrong(
                if tls.key.is_some() { CERTIFICATE } else { KEY },
                "nothing".to_owned(),
                "a file: a client's certificate and its key come together",
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            tls: encrypted.then_some(tls),
            login: user_name
                .zip(password)
                .filter(|_| login)
                .map(|(user_name, password)| Login {
                    mechanism,
                    user_name,
                    password: password.into(),
                }),
        })
    }

    /// Writes this into a client's configuration.
    pub(crate) fn write_to(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(login) = &self.login {
            config.set("sasl.mechanism", login.mechanism.name());
            config.set("sasl.username", &login.user_name);
            config.set("sasl.password", login.password.expose_secret());
        }
        if let Some(tls) = &self.tls {
            let files = [
                ("ssl.ca.location", &tls.authorities),
                ("ssl.certificate.location", &tls.certificate),
                ("ssl.key.location", &tls.key),
            ];
            for (property, file) in files {
                if let Some(file) = file {
                    config.set(property, file);
                }
            }
            if let Some(password) = &tls.key_password {
                config.set("ssl.key.password", password.expose_secret());
            }
        }
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Security, Vec<VariableProblem>> {
        Security::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn is_in_the_clear_unless_told_otherwise() {
        let security = read(&[]).unwrap();
        assert!(security.tls.is_none() && security.login.is_none());
    }

    #[test]
    fn configures_every_protocol_and_mechanism() {
        for (mechanism, expected) in [
            ("plain", "PLAIN"),
            ("SCRAM-SHA-256", "SCRAM-SHA-256"),
            ("scram-sha-512", "SCRAM-SHA-512"),
        ] {
            let security = read(&[
                (PROTOCOL, "sasl_ssl"),
                (MECHANISM, mechanism),
                (USER_NAME, "billing"),
                (PASSWORD, "secret"),
                (AUTHORITIES, "/etc/ca.pem"),
            ]);
            let mut config = ClientConfig::new();
            security.unwrap().write_to(&mut config);
            assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
            assert_eq!(config.get("sasl.mechanism"), Some(expected));
            assert_eq!(config.get("ssl.ca.location"), Some("/etc/ca.pem"));
        }
    }

    #[test]
    fn reports_everything_that_is_wrong_without_a_secret() {
        let problems = read(&[
            (PROTOCOL, "SASL_SSL"),
            (MECHANISM, "GSSAPI"),
            (PASSWORD, "secret"),
            (KEY, "k.pem"),
        ]);
        let problems = problems.unwrap_err();
        let variables: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
        assert_eq!(variables, [MECHANISM, USER_NAME, CERTIFICATE]);
        assert!(!format!("{problems:?}").contains("secret"));
        assert_eq!(read(&[(USER_NAME, "billing")]).unwrap_err()[0].variable, PROTOCOL);
        assert_eq!(read(&[(PROTOCOL, "TLS")]).unwrap_err()[0].found, "`TLS`");
    }

    #[test]
    fn librdkafka_knows_the_mechanisms() {
        let security = read(&[
            (PROTOCOL, "SASL_SSL"),
            (MECHANISM, "SCRAM-SHA-512"),
            (USER_NAME, "b"),
            (PASSWORD, "p"),
        ]);
        let mut config = ClientConfig::new();
        security.unwrap().write_to(&mut config);
        assert!(config.create_native_config().is_ok());
    }
}
