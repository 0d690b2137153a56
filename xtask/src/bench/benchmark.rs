//! The benchmarks by name, each in a file of its own.

use anyhow::Result;

use super::{
    creations, drain, event_latency, ground::Ground, growth, lists, memory, order_path, queue, reads, scaling, size,
    start,
};

/// One benchmark, which is one table of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(super) enum Benchmark {
    Reads,
    Creations,
    #[value(name = "list-1000")]
    List1000,
    #[value(name = "list-20000")]
    List20000,
    #[value(name = "list-1000000")]
    List1000000,
    Drain,
    EventLatency,
    Queue,
    OrderPath,
    Start,
    Memory,
    Size,
    Growth,
    Scaling,
}

impl Benchmark {
    /// As `--only` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Creations => "creations",
            Self::List1000 => "list-1000",
            Self::List20000 => "list-20000",
            Self::List1000000 => "list-1000000",
            Self::Drain => "drain",
            Self::EventLatency => "event-latency",
            Self::Queue => "queue",
            Self::OrderPath => "order-path",
            Self::Start => "start",
            Self::Memory => "memory",
            Self::Size => "size",
            Self::Growth => "growth",
            Self::Scaling => "scaling",
        }
    }

    /// What it measures, and how the bare loop beside it comes to its figures where there is one.
    pub(super) fn measures(self) -> &'static str {
        match self {
            Self::Reads => {
                "one billing and one user by id, 64 connections; bare: `find_one` by the same key, 64 at a time"
            }
            Self::Creations => {
                "`POST /api/billings`, 64 connections; bare: transactions of 64 users found, 64 numbers and 64 billings"
            }
            Self::List1000 => {
                "all of 1,000 billings, 64 connections; bare: a raw cursor copied to a socket, 64 at a time"
            }
            Self::List20000 => "all of 20,000 billings, 4 connections",
            Self::List1000000 => "all of 1,000,000 billings, one reader",
            Self::Drain => {
                "100,000 mixed events from 6 partitions; bare: the same writes in bulk, 1,000 events at a time"
            }
            Self::EventLatency => "one event at a time, from its producer to MongoDB",
            Self::Queue => {
                "20,000 mixed jobs; bare: a `bullmq-official` processor that only sends as many MongoDB commands"
            }
            Self::OrderPath => "`PLACE_ORDER` of three products and payments, at the calls that Billz allows",
            Self::Start => "from the start of the process until it says that it is ready",
            Self::Memory => "resident memory of all roles, idle and under load of all kinds at once",
            Self::Size => "the binary",
            Self::Growth => "cost of a request, an event and a job as data grow",
            Self::Scaling => "several processes on one queue, and on one topic",
        }
    }

    /// Runs all rounds of it.
    pub(super) async fn run(self, ground: &mut Ground) -> Result<()> {
        match self {
            Self::Reads => Box::pin(reads::run(ground)).await,
            Self::Creations => Box::pin(creations::run(ground)).await,
            Self::List1000 => Box::pin(lists::thousand(ground)).await,
            Self::List20000 => Box::pin(lists::twenty_thousand(ground)).await,
            Self::List1000000 => Box::pin(lists::million(ground)).await,
            Self::Drain => Box::pin(drain::run(ground)).await,
            Self::EventLatency => Box::pin(event_latency::run(ground)).await,
            Self::Queue => Box::pin(queue::run(ground)).await,
            Self::OrderPath => Box::pin(order_path::run(ground)).await,
            Self::Start => Box::pin(start::run(ground)).await,
            Self::Memory => Box::pin(memory::run(ground)).await,
            Self::Size => size::run(ground),
            Self::Growth => Box::pin(growth::run(ground)).await,
            Self::Scaling => Box::pin(scaling::run(ground)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for benchmark in Benchmark::value_variants() {
            let value = benchmark.to_possible_value().unwrap();
            assert_eq!(value.get_name(), benchmark.name());
        }
    }
}
