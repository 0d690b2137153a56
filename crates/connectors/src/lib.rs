//! Outgoing HTTP: Billz and Telegram.
