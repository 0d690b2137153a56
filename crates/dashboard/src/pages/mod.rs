//! One file per page, named like its template and its texts; a page's actions are in its file.

pub(crate) mod audit;
pub(crate) mod confirm;
pub(crate) mod login;
pub(crate) mod overview;
pub(crate) mod refused;
