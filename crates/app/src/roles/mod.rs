//! From a role's configuration to the running role.

pub(crate) mod api;
pub(crate) mod events;
pub(crate) mod worker;

use futures_util::future::BoxFuture;

/// A role that runs; done once it has stopped after the stop of the process.
pub(crate) type Running = BoxFuture<'static, ()>;
