//! Billz and Telegram as stateful HTTP servers with faults by script.
