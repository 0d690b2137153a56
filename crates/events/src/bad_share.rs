//! How many of a partition's last messages were bad.

use std::collections::VecDeque;

use crate::settings::BadMessageLimits;

/// What the share of bad messages calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    Alarm,
    Pause,
}

#[derive(Debug)]
pub(crate) struct BadShare {
    limits: BadMessageLimits,
    last: VecDeque<bool>,
    bad: usize,
}

impl BadShare {
    pub(crate) fn new(limits: BadMessageLimits) -> Self {
        Self {
            limits,
            last: VecDeque::new(),
            bad: 0,
        }
    }

    pub(crate) fn note(&mut self, is_bad: bool) -> Verdict {
        let window = self.limits.window.max(1);
        if self.last.len() == window && self.last.pop_front() == Some(true) {
            self.bad -= 1;
        }
        self.last.push_back(is_bad);
        self.bad += usize::from(is_bad);
        if self.last.len() < window {
            return Verdict::Fine;
        }
        #[expect(clippy::cast_precision_loss, reason = "a window of more than 2^52 messages is none")]
        let share = self.bad as f64 / window as f64;
        if share >= self.limits.pause_share {
            Verdict::Pause
        } else if share >= self.limits.alarm_share {
            Verdict::Alarm
        } else {
            Verdict::Fine
        }
    }

    pub(crate) fn start_over(&mut self) {
        self.last.clear();
        self.bad = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concludes_nothing_from_a_few_messages_and_forgets_old_ones() {
        let limits = BadMessageLimits {
            window: 10,
            ..BadMessageLimits::default()
        };
        let mut share = BadShare::new(limits);
        let few: Vec<_> = (0..9).map(|_| share.note(true)).collect();
        assert_eq!(few, [Verdict::Fine; 9]);
        assert_eq!(share.note(true), Verdict::Pause);
        let verdicts: Vec<_> = (0..10).map(|_| share.note(false)).collect();
        assert_eq!(verdicts[..5], [Verdict::Pause; 5]);
        assert_eq!(
            verdicts[5..],
            [
                Verdict::Alarm,
                Verdict::Alarm,
                Verdict::Alarm,
                Verdict::Alarm,
                Verdict::Fine
            ]
        );
        share.note(true);
        share.start_over();
        assert_eq!(share.note(true), Verdict::Fine);
    }
}
