//! The operations pages at `/dashboard`: what goes on in both products, and what an operator can do about it.
//!
//! Pages are rendered here, work without scripts and load nothing from elsewhere. [`Sources`] is what they read; each
//! source is there only where its role is configured. Every page and action stands in one table and passes one guard.

mod action;
mod assets;
mod broker;
mod cached;
mod charts;
mod dashboard;
mod guard;
mod live;
mod masking;
mod nav;
mod page;
mod pager;
mod pages;
mod report;
mod router;
mod routes;
mod sales;
mod samples;
mod section;
mod sent;
mod session;
mod settings;
mod sources;
mod text;
mod texts;
mod users;
mod visit;

pub use self::{
    dashboard::Dashboard,
    report::report,
    samples::SampleRecorder,
    session::SessionKeyProblem,
    settings::{DashboardSettings, SHORTEST_SESSION_KEY},
    sources::{EffectiveSetting, LogLevel, Process, QueueSource, Sources},
    users::{LONGEST_PASSWORD, Role, SHORTEST_PASSWORD, Users, UsersProblem, entry},
};
