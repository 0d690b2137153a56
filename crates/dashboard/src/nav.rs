//! The navigation: every page that it leads to, in its order.

use crate::text::Text;

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NavEntry {
    /// The page's name, as given to `Page::new`.
    pub(crate) page: &'static str,
    /// Its address.
    pub(crate) href: &'static str,
    /// What the entry says.
    pub(crate) label: fn() -> Text,
}

/// Every entry.
pub(crate) const NAV: &[NavEntry] = &[
    NavEntry {
        page: "overview",
        href: "/dashboard",
        label: || Text::of("overview-title"),
    },
    NavEntry {
        page: "jobs",
        href: "/dashboard/jobs",
        label: || Text::of("jobs-title"),
    },
    NavEntry {
        page: "orders",
        href: "/dashboard/orders",
        label: || Text::of("orders-title"),
    },
    NavEntry {
        page: "customers",
        href: "/dashboard/customers",
        label: || Text::of("customers-title"),
    },
    NavEntry {
        page: "billings",
        href: "/dashboard/billings",
        label: || Text::of("billings-title"),
    },
    NavEntry {
        page: "events",
        href: "/dashboard/events",
        label: || Text::of("events-title"),
    },
    NavEntry {
        page: "notifications",
        href: "/dashboard/notifications",
        label: || Text::of("notifications-title"),
    },
    NavEntry {
        page: "settings",
        href: "/dashboard/settings",
        label: || Text::of("settings-title"),
    },
    NavEntry {
        page: "audit",
        href: "/dashboard/audit",
        label: || Text::of("audit-title"),
    },
];
