//! Reads the query of a list: `limit`, `page`, `cursor`, `sort`, `count`, `q` and the filters.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use billwright_domain::{
    FieldProblem, Problems,
    input::{Mismatch, ProblemList, boolean, date, describe_text, excerpt},
};
use billwright_store::billing::lists::{Condition, ListQuery, Listed, Order, Position, Window};
use serde_json::Value;

/// The most documents on a page, and how many where only the page is named.
pub(crate) const LARGEST_PAGE: u32 = 1000;
pub(crate) const USUAL_PAGE: u32 = 50;

/// The last page that can be asked for by its number. Further on, a cursor finds the way.
const LAST_PAGE: u64 = 1_000_000;

/// The longest prefix that is searched for, in bytes.
const LONGEST_PREFIX: usize = 200;

/// A list as a client asked for it.
#[derive(Debug)]
pub(crate) struct ListParams {
    pub(crate) query: ListQuery,
    /// Whether the number of all documents is wanted.
    pub(crate) count: bool,
    /// The number of the page, if pages are counted.
    pub(crate) page: Option<u64>,
    /// Everything that was asked for, to be repeated in links.
    pairs: Vec<(String, String)>,
}

impl ListParams {
    /// Reads the query of a request. Parameters that are not known are ignored, as they always were; one that looks like
    /// an operator (`userId[$gt]`) is refused, since whoever sent it believes to have filtered.
    pub(crate) fn read(listed: Listed, query: Option<&str>) -> Result<Self, Problems> {
        Self::read_with(listed, query, Vec::new(), None)
    }

    /// Like [`ListParams::read`], with conditions that the path adds, and the order where the query names none.
    pub(crate) fn read_with(
        listed: Listed,
        query: Option<&str>,
        mut conditions: Vec<Condition>,
        usual_order: Option<Order>,
    ) -> Result<Self, Problems> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        let mut reader = Reader {
            pairs: &pairs,
            problems: ProblemList::default(),
        };
        reader.refuse_operators();
        let of_path = conditions
            .iter()
            .any(|condition| matches!(condition, Condition::UserId(_)));
        conditions.extend(filters(listed, of_path, &mut reader));
        let order = reader.read("sort", |text| {
            Order::parse(listed, text).ok_or_else(|| {
                let fields = listed.orders().join("`, `");
                Mismatch::expected(format!("one of `{fields}`, with `-` before it for descending order"))
            })
        });
        let limit = reader.read("limit", |text| whole(text, LARGEST_PAGE.into()));
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        let page = reader.read("page", |text| whole(text, LAST_PAGE));
        let position = reader.read("cursor", |text| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
            bytes
                .and_then(|bytes| Position::from_bytes(listed, &bytes))
                .ok_or_else(|| Mismatch::expected("a cursor from a `Link` header"))
        });
        let count = reader.read("count", truth).unwrap_or(false);
        if page.is_some() && position.is_some() {
            reader.refuse("cursor", "either `page` or `cursor`, not both");
        }
        let mut query = ListQuery {
            listed,
            conditions,
            order: order.or(usual_order),
            window: Window::Whole,
        };
        if let Some(position) = position {
            if !query.is_place_of(&position) {
                reader.refuse(
                    "cursor",
                    "a cursor of this list: the same filters and `sort` as when it was given",
                );
            }
            let limit = limit.unwrap_or(USUAL_PAGE);
            let position = Box::new(position);
            query.window = Window::After { limit, position };
        } else if limit.is_some() || page.is_some() {
            let limit = limit.unwrap_or(USUAL_PAGE);
            let skip = (page.unwrap_or(1) - 1) * u64::from(limit);
            query.window = Window::Page { limit, skip };
        }
        reader.problems.finish()?;
        Ok(Self {
            query,
            count,
            page,
            pairs,
        })
    }

    /// The query of the same list with another page, or from another place on.
    pub(crate) fn elsewhere(&self, place: &Place) -> String {
        let (name, value) = match place {
            Place::Page(page) => ("page", page.to_string()),
            Place::After(position) => ("cursor", BASE64_URL_SAFE_NO_PAD.encode(position.to_bytes())),
        };
        let kept = self.pairs.iter().filter(|(name, _)| name != "page" && name != "cursor");
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair(name, &value)
            .finish()
    }
}

/// Another part of a list.
pub(crate) enum Place {
    /// A page by its number.
    Page(u64),
    /// What comes after a document.
    After(Box<Position>),
}

/// The filters that the query names. `userId` is left alone where the path has named the user.
fn filters(listed: Listed, of_user: bool, reader: &mut Reader<'_>) -> Vec<Condition> {
    let text = |text: &str| Ok(text.to_owned());
    let prefix = |text: &str| {
        if text.len() > LONGEST_PREFIX {
            return Err(Mismatch::expected(format!("at most {LONGEST_PREFIX} bytes")));
        }
        Ok(text.to_owned())
    };
    let moment = |text: &str| date(&Value::from(text))?.ok_or_else(|| Mismatch::expected("a date"));
    let mut all = Vec::new();
    if !of_user {
        all.extend(reader.read("userId", text).map(Condition::UserId));
    }
    match listed {
        Listed::Users => {
            all.extend(reader.read("isActive", truth).map(Condition::IsActive));
            all.extend(reader.read("city", text).map(Condition::City));
        }
        Listed::Billings => {
            all.extend(reader.read("isPaid", truth).map(Condition::IsPaid));
            all.extend(reader.read("dueBefore", moment).map(Condition::DueBefore));
            all.extend(reader.read("dueAfter", moment).map(Condition::DueAfter));
        }
    }
    let searched = reader.read("q", prefix).filter(|prefix| !prefix.is_empty());
    all.extend(searched.map(Condition::Prefix));
    all
}

fn truth(text: &str) -> Result<bool, Mismatch> {
    boolean(&Value::from(text))?.ok_or_else(|| Mismatch::expected("a boolean"))
}

fn whole(text: &str, most: u64) -> Result<u64, Mismatch> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| Mismatch::expected(format!("a whole number from 1 to {most}")))
}

struct Reader<'a> {
    pairs: &'a [(String, String)],
    problems: ProblemList,
}

impl Reader<'_> {
    fn read<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, Mismatch>) -> Option<T> {
        let mut given = self.pairs.iter().filter(|(known, _)| known == name);
        let (_, value) = given.next()?;
        let read = match given.next() {
            Some(_) => Err(Mismatch::expected("one value")),
            None => read(value),
        };
        read.map_err(|mismatch| self.refuse(name, &mismatch.expected)).ok()
    }

    fn refuse(&mut self, name: &str, expected: &str) {
        let values: Vec<&str> = self
            .pairs
            .iter()
            .filter_map(|(known, value)| (known == name).then_some(value.as_str()))
            .collect();
        self.problems.push(FieldProblem {
            field: name.to_owned(),
            found: match values[..] {
                [value] => describe_text(value),
                _ => format!("{} values", values.len()),
            },
            expected: expected.to_owned(),
        });
    }

    fn refuse_operators(&mut self) {
        let operators: Vec<&str> = self
            .pairs
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| name.contains(['[', '$']))
            .collect();
        for name in operators {
            self.problems.push(FieldProblem {
                field: excerpt(name),
                found: "an operator".to_owned(),
                expected: "a plain parameter: filters compare with one value".to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;

    use super::*;

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_list_query() {
        let query = "userId=customer-1&isPaid=false&dueBefore=2026-12-01&sort=-dueDate&limit=100&page=3";
        assert!(counted(|| ListParams::read(Listed::Billings, Some(query))).is_ok());
    }

    fn read(query: &str) -> Result<ListParams, Vec<String>> {
        ListParams::read(Listed::Billings, Some(query))
            .map_err(|problems| problems.listed().iter().map(|problem| problem.field.clone()).collect())
    }

    #[test]
    fn without_a_limit_the_whole_list_is_wanted() {
        let params = read("isPaid=false&_=173").unwrap();
        assert_eq!(params.query.window, Window::Whole);
        assert_eq!(params.query.conditions, [Condition::IsPaid(false)]);
    }

    #[test]
    fn reports_every_bad_parameter() {
        let bad = "limit=0&page=x&sort=password&isPaid=perhaps&dueBefore=soon&cursor=%00&userId[$gt]=";
        let fields = read(bad).unwrap_err();
        assert_eq!(
            fields,
            ["userId[$gt]", "isPaid", "dueBefore", "sort", "limit", "page", "cursor"]
        );
        assert_eq!(read("limit=5&limit=6").unwrap_err(), ["limit"]);
        for query in ["limit=1001", "limit=-1", "limit=%2B1", "limit=1e2", "page=0"] {
            assert!(read(query).is_err(), "{query} was taken");
        }
    }

    #[test]
    fn a_page_without_a_limit_has_the_usual_size() {
        let params = read("page=3").unwrap();
        assert_eq!(params.query.window, Window::Page { limit: 50, skip: 100 });
        assert_eq!(params.elsewhere(&Place::Page(4)), "page=4");
    }
}
