//! What may grow, and why. Everything else must stay as it is.

/// Something that grows with what was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grows {
    /// A collection with its database, or a family of keys in Redis.
    pub(super) name: &'static str,
    /// With what, and until when.
    pub(super) reason: &'static str,
}

const fn grows(name: &'static str, reason: &'static str) -> Grows {
    Grows { name, reason }
}

/// Everything that may.
const ALL: &[Grows] = &[
    grows(
        "billz_microservice.orders",
        "one for each order; kept, since they are the orders",
    ),
    grows("billz_microservice.clients", "one for each client of an order; kept"),
    grows(
        "billz_microservice.logs",
        "some for each job; kept, as the service before did",
    ),
    grows(
        "billz_microservice.operations",
        "one for each job that is not a repeat; 30 days after its last change",
    ),
    grows(
        "billz_microservice.job_attempts",
        "one for each attempt at a job; 30 days",
    ),
    grows(
        "billz_microservice.order_sagas",
        "one for each order that is placed; 90 days after its end",
    ),
    grows("billz_microservice.sale_claims", "one for each sale; 30 days"),
    grows(
        "billz_microservice.leases",
        "one for each order, sale or phone number; a day after its end",
    ),
    grows(
        "billz_microservice.notifications",
        "one for each message to the group; 14 days after it was sent, and the group takes 20 a minute",
    ),
    grows(
        "billz_microservice.operations_samples",
        "one a minute for each process; 8 days",
    ),
    grows(
        "billz_microservice.alerts",
        "one for each alert that was ever told; there are few kinds",
    ),
    grows(
        "telecomx-billing.users",
        "one for each user; kept, since they are the users",
    ),
    grows(
        "telecomx-billing.billings",
        "one for each billing; kept, since they are the billings",
    ),
    grows(
        "telecomx-billing.idempotency",
        "one for each write with a key; 24 hours",
    ),
    grows(
        "telecomx-billing.event_customers",
        "one for each customer with events; kept, so that old events stay old",
    ),
    grows(
        "telecomx-billing.event_set_aside",
        "one for each event that waits for its customer; until then",
    ),
    grows(
        "telecomx-billing.operations_samples",
        "one a minute for each process; 8 days",
    ),
    grows(
        "bull:billz-operations:*",
        "one for each job; until its producer's `removeOnComplete` or `removeOnFail`",
    ),
    grows(
        "bull:billz-operations:*:logs",
        "one for each job that logged; goes with its job",
    ),
];

/// Why something may grow, if it may.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    ALL.iter().find(|grows| grows.name == name).map(|grows| grows.reason)
}

/// The family of a key in Redis: its name with a star for each part that holds a number or an id.
pub(super) fn family(key: &str) -> String {
    let parts = key.split(':').map(|part| {
        if part.bytes().any(|byte| byte.is_ascii_digit()) {
            "*"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_of_one_kind_are_one_family() {
        assert_eq!(family("bull:billz-operations:job-17"), "bull:billz-operations:*");
        assert_eq!(
            family("bull:billz-operations:job-17:logs"),
            "bull:billz-operations:*:logs"
        );
        assert_eq!(
            family("bull:billz-operations:completed"),
            "bull:billz-operations:completed"
        );
    }

    #[test]
    fn what_may_grow_is_named_once_and_has_a_reason() {
        let names: BTreeSet<&str> = ALL.iter().map(|grows| grows.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|grows| !grows.reason.is_empty()));
        assert!(reason("billz_microservice.orders").is_some());
        assert_eq!(reason("billz_microservice.forgotten"), None);
    }
}
