//! The listeners of a broker that asks for a login, for TLS, or for both.

use std::{fmt::Write, path::Path};

use anyhow::Result;

use crate::port;

/// How a broker of the caller's own is secured. Its plain listener stays, for the caller's own preparations.
#[derive(Debug, Clone)]
pub struct KafkaSecurity {
    /// The authority that a client's own certificate must come from, in PEM form.
    pub authority: String,
    /// The broker's certificate for 127.0.0.1, in PEM form.
    pub certificate: String,
    /// The key of that certificate, in PKCS #8 PEM form.
    pub key: String,
    /// The one user who may log in, by each of `PLAIN`, `SCRAM-SHA-256` and `SCRAM-SHA-512`. No quotes, commas or brackets.
    pub user_name: String,
    /// The user's password, of letters and digits.
    pub password: String,
}

/// The secured listeners of a broker, each on a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecuredPorts {
    /// TLS, where the client shows a certificate of its own.
    pub(crate) ssl: u16,
    /// A login in the clear.
    pub(crate) sasl_plaintext: u16,
    /// A login by TLS.
    pub(crate) sasl_ssl: u16,
}

impl SecuredPorts {
    pub(crate) fn free() -> Result<Self> {
        Ok(Self {
            ssl: port::free()?,
            sasl_plaintext: port::free()?,
            sasl_ssl: port::free()?,
        })
    }

    pub(crate) fn all(self) -> [u16; 3] {
        [self.ssl, self.sasl_plaintext, self.sasl_ssl]
    }

    /// What is appended to `listeners` and `advertised.listeners`.
    pub(crate) fn listeners(self) -> String {
        let Self {
            ssl,
            sasl_plaintext,
            sasl_ssl,
        } = self;
        format!(",SSL://127.0.0.1:{ssl},SASL_PLAINTEXT://127.0.0.1:{sasl_plaintext},SASL_SSL://127.0.0.1:{sasl_ssl}")
    }
}

impl KafkaSecurity {
    /// Writes the certificates into `directory` and gives the broker's further settings.
    pub(crate) fn write_to(&self, directory: &Path) -> Result<String> {
        let (key_store, trust_store) = (directory.join("broker.pem"), directory.join("authority.pem"));
        std::fs::write(&key_store, format!("{}\n{}", self.key, self.certificate))?;
        std::fs::write(&trust_store, &self.authority)?;
        let mut settings = format!(
            "ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
",
            key_store.display(),
            trust_store.display()
        );
        for listener in ["sasl_plaintext", "sasl_ssl"] {
            let (user_name, password) = (&self.user_name, &self.password);
            writeln!(
                settings,
                "listener.name.{listener}.plain.sasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required user_{user_name}=\"{password}\";"
            )?;
            for mechanism in ["scram-sha-256", "scram-sha-512"] {
                writeln!(
                    settings,
                    "listener.name.{listener}.{mechanism}.sasl.jaas.config=\
                     org.apache.kafka.common.security.scram.ScramLoginModule required;"
                )?;
            }
        }
        Ok(settings)
    }

    /// The arguments that make the user known as the broker's storage is formatted.
    pub(crate) fn format_arguments(&self) -> Vec<String> {
        let user = format!("[name={},password={}]", self.user_name, self.password);
        ["SCRAM-SHA-256", "SCRAM-SHA-512"]
            .iter()
            .flat_map(|mechanism| ["--add-scram".to_owned(), format!("{mechanism}={user}")])
            .collect()
    }
}
