//! The JSON API of users and billings.
