//! Billings: `/api/billings`.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod list_by_user;
pub(crate) mod update;
