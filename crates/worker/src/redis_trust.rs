//! Which authorities are trusted for a Redis behind TLS: those of the system, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR`
//! name instead. `bullmq-official` switches on a feature of the Redis client by which it trusts its own built-in ones alone, so that a
//! private authority could not be trusted at all; so both are handed the system's.

use std::sync::OnceLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use bullmq::options::{RedisConnectionOptions, TlsCerts};
use redis::{Client, RedisError, TlsCertificates};
use rustls::RootCertStore;
use secrecy::ExposeSecret;

use crate::RedisSettings;

impl RedisSettings {
    /// A client that has not connected yet. Fails only for an address that is none.
    pub fn client(&self) -> Result<Client, RedisError> {
        install_tls_provider();
        let url = self.url.expose_secret();
        match self.trusted() {
            None => Client::open(url),
            Some(root_cert) => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(root_cert),
                };
                Client::build_with_tls(url, certificates)
            }
        }
    }

    /// How the library reaches the same Redis.
    pub(crate) fn for_library(&self) -> RedisConnectionOptions {
        install_tls_provider();
        let options = RedisConnectionOptions::new().url(self.url.expose_secret());
        match self.trusted() {
            None => options,
            Some(root_cert) => options.tls_certs(TlsCerts {
                root_cert: Some(root_cert),
                ..TlsCerts::default()
            }),
        }
    }

    /// `None` where there is no TLS, and where the system knows no authority, so that the built-in ones are trusted.
    fn trusted(&self) -> Option<Vec<u8>> {
        static SYSTEM: OnceLock<Vec<u8>> = OnceLock::new();
        if !self.url.expose_secret().starts_with("rediss:") {
            return None;
        }
        let system = SYSTEM.get_or_init(system_authorities);
        (!system.is_empty()).then(|| system.clone())
    }
}

/// The system's authorities as PEM. One that cannot be read is left out: it would cost all the others.
fn system_authorities() -> Vec<u8> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "an authority of the system could not be read");
    }
    let mut pem = String::new();
    for certificate in found.certs {
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            pem.push_str(&BASE64_STANDARD.encode(&certificate));
            pem.push_str("\n-----END CERTIFICATE-----\n");
        }
    }
    pem.into_bytes()
}

/// `rediss://` needs a rustls provider, and panics without one. Installing it twice does nothing.
fn install_tls_provider() {
    let _there_already = rustls::crypto::ring::default_provider().install_default();
}
