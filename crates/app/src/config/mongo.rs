//! Which database each product uses; the two never share one, since both have a collection `users` of their own shape.

use std::time::Duration;

use billwright_store::{ConnectionFacts, MongoSettings};
use secrecy::SecretString;

use super::Reader;
use crate::env_vars::{BILLING_MONGODB_URI, BILLZ_MONGODB_URI, MONGODB_URI, Variable};

/// The order worker's database where no other is named.
const BILLZ_DATABASE: &str = "billz_microservice";
/// The billing service's database where no other is named.
const BILLING_DATABASE: &str = "telecomx-billing";

/// How long an operation looks for a MongoDB server. The API must answer within a second when there is none.
const SERVER_SELECTION: Duration = Duration::from_millis(800);

/// The databases of the products that run.
#[derive(Debug, Clone)]
pub(crate) struct MongoConfig {
    /// The order worker's.
    pub(crate) billz: Option<MongoSettings>,
    /// The billing service's.
    pub(crate) billing: Option<MongoSettings>,
}

impl MongoConfig {
    /// Reads the connection strings of the products that run.
    pub(crate) fn read(reader: &mut Reader<'_>, billz: bool, billing: bool) -> Self {
        let alone = !(billz && billing);
        let found_billz = billz
            .then(|| read_one(reader, &BILLZ_MONGODB_URI, BILLZ_DATABASE, alone))
            .flatten();
        let found_billing = billing
            .then(|| read_one(reader, &BILLING_MONGODB_URI, BILLING_DATABASE, alone))
            .flatten();
        if let (Some((_, one)), Some((_, other))) = (&found_billz, &found_billing)
            && one == other
        {
            reader.refuse(
                &BILLING_MONGODB_URI,
                format!(
                    "another database than the order worker's: both resolve to `{}` on the same server, and each product has a `users` collection of its own shape",
                    one.database.as_deref().unwrap_or_default()
                ),
            );
        }
        Self {
            billz: found_billz.map(|(settings, _)| settings),
            billing: found_billing.map(|(settings, _)| settings),
        }
    }
}

/// The settings of one product and where they lead.
fn read_one(
    reader: &mut Reader<'_>,
    own: &'static Variable,
    default_database: &'static str,
    alone: bool,
) -> Option<(MongoSettings, ConnectionFacts)> {
    let is_own = reader.source.get(own).is_some();
    let variable = if is_own { own } else { &MONGODB_URI };
    let (uri, mut facts) = reader.optional(variable, |text| {
        let facts = ConnectionFacts::of(text)?;
        Ok((text.to_owned(), facts))
    })?;
    // The path of the shared variable names one product's database; which one is unknown where both run.
    let database = if is_own || alone { facts.database.clone() } else { None };
    let database = database.unwrap_or_else(|| default_database.to_owned());
    facts.database = Some(database.clone());
    let settings = MongoSettings {
        uri: SecretString::from(uri),
        database,
        server_selection_timeout: SERVER_SELECTION,
        max_pool_size: 64,
    };
    Some((settings, facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn databases(
        values: &[(&'static str, &str)],
        billz: bool,
        billing: bool,
    ) -> Result<(Option<String>, Option<String>), String> {
        let source = Source::of(values);
        let mut reader = Reader::new(&source);
        let found = MongoConfig::read(&mut reader, billz, billing);
        reader.finish().map_err(|problems| problems.to_string())?;
        Ok((
            found.billz.map(|settings| settings.database),
            found.billing.map(|settings| settings.database),
        ))
    }

    #[test]
    fn a_path_counts_only_when_one_product_runs() {
        let shared = [("MONGODB_URI", "mongodb://db/shop")];
        assert_eq!(databases(&shared, true, false).unwrap(), (Some("shop".into()), None));
        assert_eq!(
            databases(&shared, true, true).unwrap(),
            (Some(BILLZ_DATABASE.into()), Some(BILLING_DATABASE.into()))
        );
        assert_eq!(
            databases(&[], false, true).unwrap(),
            (None, Some(BILLING_DATABASE.into()))
        );
    }

    #[test]
    fn refuses_one_database_for_both_products() {
        let same = [
            ("BILLZ_MONGODB_URI", "mongodb://u:geheim@db/one"),
            ("BILLING_MONGODB_URI", "mongodb://db:27017/one"),
        ];
        let report = databases(&same, true, true).unwrap_err();
        assert!(
            report.contains("BILLING_MONGODB_URI") && report.contains("`one`") && !report.contains("geheim"),
            "{report}"
        );
    }

    #[test]
    fn refuses_what_is_no_connection_string() {
        let report = databases(&[("MONGODB_URI", "http://u:geheim@db")], false, true).unwrap_err();
        assert!(report.contains("MONGODB_URI") && !report.contains("geheim"), "{report}");
    }
}
