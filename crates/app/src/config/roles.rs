//! Which roles run, and why.

use std::fmt;

use super::Source;
use crate::env_vars::{
    BILLING_MONGODB_URI, BILLZ_MONGODB_URI, BILLZ_SHOP_ID, BILLZ_TOKEN, KAFKA_BROKERS, KAFKA_GROUP_ID, KAFKA_TOPIC,
};

/// A subsystem of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Consumes the queue `billz-operations`.
    Worker,
    /// Serves users and billings over HTTP.
    Api,
    /// Consumes customer events.
    Events,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Worker, Self::Api, Self::Events];
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Worker => "worker",
            Self::Api => "api",
            Self::Events => "events",
        })
    }
}

/// The roles that were chosen, each with the reason why it runs or does not.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    chosen: Vec<Role>,
    reasons: [(Role, String); 3],
}

/// What only somebody who wants the order worker sets.
const BILLZ_SIGNS: [&crate::env_vars::Variable; 3] = [&BILLZ_TOKEN, &BILLZ_SHOP_ID, &BILLZ_MONGODB_URI];
/// What only somebody who wants users and billings sets.
const BILLING_SIGNS: [&crate::env_vars::Variable; 4] =
    [&BILLING_MONGODB_URI, &KAFKA_BROKERS, &KAFKA_TOPIC, &KAFKA_GROUP_ID];

impl Roles {
    /// The wanted roles, or else every role whose configuration is there.
    ///
    /// The billing service needs no setting at all (its defaults are `localhost`), so it also runs where nothing at all
    /// is set; but beside a worker it runs only if something of its own is set, since a shop that replaces its worker does
    /// not want an open API with it.
    pub(crate) fn choose(source: &Source, wanted: Option<&[Role]>) -> Self {
        let billz = source.any_set(&BILLZ_SIGNS);
        let billing = source.any_set(&BILLING_SIGNS);
        let (billz_signs, billing_signs) = (names(&BILLZ_SIGNS), names(&BILLING_SIGNS));
        let reasons = Role::ALL.map(|role| {
            let reason = match (wanted, role) {
                (Some(_), _) => "by --roles".to_owned(),
                (None, Role::Worker) if billz => format!("one of {billz_signs} is set"),
                (None, Role::Worker) => format!("none of {billz_signs} is set"),
                (None, _) if billing => format!("one of {billing_signs} is set"),
                (None, _) if billz => format!("none of {billing_signs} is set beside the worker's"),
                (None, _) => "the defaults suffice".to_owned(),
            };
            (role, reason)
        });
        let chosen = Role::ALL
            .into_iter()
            .filter(|role| match (wanted, role) {
                (Some(wanted), role) => wanted.contains(role),
                (None, Role::Worker) => billz,
                (None, Role::Api | Role::Events) => billing || !billz,
            })
            .collect();
        Self { chosen, reasons }
    }

    /// Whether a role runs.
    pub(crate) fn runs(&self, role: Role) -> bool {
        self.chosen.contains(&role)
    }

    /// The roles that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = Role> {
        self.chosen.iter().copied()
    }

    /// Whether the order product runs.
    pub(crate) fn has_billz(&self) -> bool {
        self.runs(Role::Worker)
    }

    /// Whether the billing product runs.
    pub(crate) fn has_billing(&self) -> bool {
        self.runs(Role::Api) || self.runs(Role::Events)
    }

    /// Every role, whether it runs, and why.
    pub(crate) fn explained(&self) -> impl Iterator<Item = (Role, bool, &str)> {
        self.reasons
            .iter()
            .map(|(role, reason)| (*role, self.runs(*role), reason.as_str()))
    }
}

fn names(variables: &[&crate::env_vars::Variable]) -> String {
    variables
        .iter()
        .map(|variable| variable.name)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(values: &[(&'static str, &str)], wanted: Option<&[Role]>) -> Vec<Role> {
        Roles::choose(&Source::of(values), wanted).chosen
    }

    #[test]
    fn a_bare_environment_runs_the_billing_service_as_it_always_did() {
        assert_eq!(
            chosen(&[("MONGODB_URI", "mongodb://db")], None),
            [Role::Api, Role::Events]
        );
    }

    #[test]
    fn a_shop_gets_the_worker_alone() {
        assert_eq!(
            chosen(
                &[
                    ("BILLZ_TOKEN", "t"),
                    ("BILLZ_SHOP_ID", "s"),
                    ("MONGODB_URI", "mongodb://db")
                ],
                None
            ),
            [Role::Worker]
        );
    }

    #[test]
    fn both_products_run_where_both_are_configured() {
        assert_eq!(
            chosen(&[("BILLZ_TOKEN", "t"), ("KAFKA_BROKERS", "k:9092")], None),
            Role::ALL
        );
    }

    #[test]
    fn the_wanted_roles_win() {
        assert_eq!(chosen(&[("BILLZ_TOKEN", "t")], Some(&[Role::Events])), [Role::Events]);
    }
}
