//! What must hold in the end, one function each. A function returns what it found to be otherwise, one line each.

mod billing;
mod orders;
mod processes;

pub(super) use self::orders::nameless_drafts;
use super::{faults, load, observed::Observed};

/// Something that must hold.
#[derive(Clone, Copy)]
pub(super) struct Invariant {
    /// Its name, which is its function's.
    pub(super) name: &'static str,
    check: fn(&Observed) -> Vec<String>,
}

/// What was found to be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The invariant's name.
    pub(super) invariant: String,
    /// What was found, one line each.
    pub(super) found: Vec<String>,
}

macro_rules! invariants {
    ($($module:ident::{$($name:ident),+ $(,)?})+) => {
        &[$($(Invariant { name: stringify!($name), check: $module::$name },)+)+]
    };
}

/// All that is checked in the end.
const AT_THE_END: &[Invariant] = invariants! {
    orders::{
        every_accepted_job_has_ended, what_is_wrong_is_refused, a_failure_states_its_reason,
        duplicates_have_one_result, a_client_is_made_once, an_order_has_one_sale, a_sale_has_the_lines_of_its_order,
        a_line_is_added_once, a_sale_is_paid_once_and_in_full, no_sale_is_left_behind, orders_equal_the_ledger,
        every_failure_was_told,
    }
    billing::{
        users_equal_the_model, billings_equal_the_model, numbers_are_unique_and_gapless, the_dead_letters_are_the_poison,
        what_waits_has_no_customer,
    }
    processes::{no_process_grows_without_bound, nothing_private_is_shown}
};

/// What is checked while the run goes on.
const ON_THE_WAY: [&str; 4] = [load::ANSWERS, load::REPEATS, faults::STOPS, faults::LIVES];

/// The names of all.
pub(super) fn names() -> Vec<&'static str> {
    AT_THE_END
        .iter()
        .map(|invariant| invariant.name)
        .chain(ON_THE_WAY)
        .collect()
}

/// Checks everything.
pub(super) fn check(observed: &Observed) -> Vec<Violation> {
    let at_the_end = AT_THE_END
        .iter()
        .map(|invariant| (invariant.name, (invariant.check)(observed)));
    let on_the_way = ON_THE_WAY.iter().map(|name| {
        let complaints = observed.complaints.iter();
        let own = complaints.filter(|complaint| complaint.invariant == *name);
        (*name, own.map(|complaint| complaint.text.clone()).collect())
    });
    at_the_end
        .chain(on_the_way)
        .filter(|(_, found)| !found.is_empty())
        .map(|(name, found)| Violation {
            invariant: name.to_owned(),
            found,
        })
        .collect()
}

#[cfg(test)]
mod tests;
