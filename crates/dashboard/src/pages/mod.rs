//! One file per page, named like its template and its texts; a page's actions are in its file.

pub(crate) mod audit;
pub(crate) mod billings;
pub(crate) mod confirm;
pub(crate) mod customer;
pub(crate) mod customers;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod jobs_bulk;
pub(crate) mod jobs_history;
pub(crate) mod jobs_search;
pub(crate) mod login;
pub(crate) mod notifications;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod overview;
pub(crate) mod refused;
pub(crate) mod set_aside;
pub(crate) mod settings;
