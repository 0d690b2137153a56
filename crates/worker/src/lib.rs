//! The BullMQ worker: one file per job type.
