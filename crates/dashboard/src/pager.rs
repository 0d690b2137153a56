//! Long lists, page by page, bounded whatever is asked for.

use askama::{Template, filters::HtmlSafe};
use billwright_store::billing::lists::{ListQuery, Position, Window as Place};
use serde::Deserialize;

use crate::page::Page;

/// The rows of a page unless told otherwise.
const ROWS: u32 = 50;
/// The most rows of a page.
pub(crate) const MOST_ROWS: u32 = 200;
/// How far a list can be paged through; beyond, a search finds what is meant.
const FARTHEST: u32 = 100_000;

/// Which part of a list is wanted: `?offset=100&limit=50`. Anything that is no such number counts as not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Window {
    #[serde(deserialize_with = "lenient")]
    offset: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    limit: Option<u32>,
}

fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number: Option<u64> = text.trim().parse().ok();
    Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

impl Window {
    /// How many rows come before it.
    pub(crate) fn offset(self) -> u32 {
        self.offset.unwrap_or_default().min(FARTHEST)
    }

    /// How many rows it has at most.
    pub(crate) fn limit(self) -> u32 {
        self.limit.unwrap_or(ROWS).clamp(1, MOST_ROWS)
    }
}

/// The links under a list.
#[derive(Debug, Template)]
#[template(path = "blocks/pager.html")]
pub(crate) struct Pager<'a> {
    page: &'a Page,
    total: Option<u64>,
    first: u64,
    last: u64,
    previous: Option<String>,
    next: Option<String>,
}

impl HtmlSafe for Pager<'_> {}

impl Page {
    /// The links under a list whose `window` shows `shown` rows of `total`, if that is known.
    pub(crate) fn pager(&self, window: &Window, shown: usize, total: Option<&u64>) -> Pager<'_> {
        let total = total.copied();
        let (offset, limit) = (window.offset(), window.limit());
        let shown = u32::try_from(shown).unwrap_or(u32::MAX);
        let end = u64::from(offset) + u64::from(shown);
        let more = total.map_or(shown >= limit, |total| end < total);
        let at = |offset: u32| self.visit.address_with("offset", &offset.to_string());
        Pager {
            page: self,
            total,
            first: u64::from(offset) + u64::from(shown > 0),
            last: end,
            previous: (offset > 0).then(|| at(offset.saturating_sub(limit))),
            next: (more && offset + limit <= FARTHEST).then(|| at(offset + limit)),
        }
    }
}

/// The links under a list that goes on after its last row, however long it is.
#[derive(Debug, Template)]
#[template(path = "blocks/more.html")]
pub(crate) struct MoreLinks<'a> {
    page: &'a Page,
    first: Option<String>,
    next: Option<String>,
}

impl HtmlSafe for MoreLinks<'_> {}

impl Page {
    /// The links under a part of a list that began after the place `after` and ends at `end`, if others follow.
    pub(crate) fn more(&self, after: &str, end: Option<&Position>) -> MoreLinks<'_> {
        let at = |place: &str| self.visit.address_with("after", place);
        MoreLinks {
            page: self,
            first: (!after.is_empty()).then(|| at("")),
            next: end.map(|end| at(&hex::encode(end.to_bytes()))),
        }
    }
}

/// `query` from the place `after` on, as [`Page::more`] wrote it; from the beginning where it is no place of this list.
pub(crate) fn after(query: ListQuery, limit: u32, after: &str) -> ListQuery {
    let position = hex::decode(after)
        .ok()
        .and_then(|bytes| Position::from_bytes(query.listed, &bytes))
        .filter(|position| query.is_place_of(position));
    match position {
        Some(position) => ListQuery {
            window: Place::After {
                limit,
                position: Box::new(position),
            },
            ..query
        },
        None => query,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> (u32, u32) {
        let window: Window = serde_html_form::from_str(query).unwrap();
        (window.offset(), window.limit())
    }

    #[test]
    fn a_page_is_bounded_whatever_is_asked_for() {
        assert_eq!(window(""), (0, 50));
        assert_eq!(window("offset=100&limit=20"), (100, 20));
        assert_eq!(window("limit=1000000&offset=99999999999"), (FARTHEST, MOST_ROWS));
        assert_eq!(window("limit=0"), (0, 1));
        assert_eq!(window("limit=-1&offset=many"), (0, 50));
    }
}
