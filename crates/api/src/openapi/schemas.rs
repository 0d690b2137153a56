//! How values are described that are taken in more than one form.

use billwright_store::billing::lists::Listed;
use utoipa::openapi::{
    ObjectBuilder, RefOr, Type,
    schema::{AnyOfBuilder, Object, Schema, SchemaType},
};

fn one_of_types(types: impl IntoIterator<Item = Type>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types))
}

fn done(object: impl Into<Object>) -> RefOr<Schema> {
    RefOr::T(Schema::Object(object.into()))
}

/// An identifier: text, or a number or boolean that is taken as its text.
pub(super) fn identifier() -> RefOr<Schema> {
    done(
        one_of_types([Type::String, Type::Number, Type::Boolean])
            .min_length(Some(1))
            .max_length(Some(200))
            .pattern(Some(
                r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
            )),
    )
}

/// Text, or what is taken as its text.
pub(super) fn text() -> RefOr<Schema> {
    done(one_of_types([Type::String, Type::Number, Type::Boolean, Type::Null]).pattern(Some(r"^[^\u0000]*$")))
}

/// A boolean, or a word or number that is taken as one.
pub(super) fn boolean() -> RefOr<Schema> {
    let mut schema = ObjectBuilder::new().build();
    schema.schema_type = SchemaType::AnyValue;
    schema.enum_values = serde_json::json!([true, false, "true", "false", 1, 0, "1", "0", "yes", "no", null])
        .as_array()
        .cloned();
    done(schema)
}

/// A number of zero or more that a double holds exactly, or text that holds one.
pub(super) fn number() -> RefOr<Schema> {
    let bounded = |kind, least: f64| {
        ObjectBuilder::new()
            .schema_type(kind)
            .minimum(Some(least))
            .maximum(Some(LARGEST_EXACT))
    };
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^[0-9]{1,12}(\.[0-9]{1,2})?$"));
    let alternatives = AnyOfBuilder::new()
        .item(bounded(Type::Integer, 0.0))
        .item(bounded(Type::Number, 0.01))
        .item(text)
        .item(one_of_types([Type::Boolean, Type::Null]));
    RefOr::T(Schema::AnyOf(alternatives.build()))
}

/// The largest whole number up to which a double holds each one.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// The form in which a date is described. More are taken, such as one with a time zone.
const ISO_DATE: &str = r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z?)?$";

/// The first millisecond of the year 1 and the last one of the year 9999.
const FIRST_MILLISECOND: i64 = -62_135_596_800_000;
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// A date in ISO 8601 form, or milliseconds since 1970.
pub(super) fn date() -> RefOr<Schema> {
    date_of_types([Type::String, Type::Number])
}

/// A date, or none.
pub(super) fn date_or_nothing() -> RefOr<Schema> {
    date_of_types([Type::String, Type::Number, Type::Null])
}

fn date_of_types(types: impl IntoIterator<Item = Type>) -> RefOr<Schema> {
    done(
        one_of_types(types)
            .pattern(Some(ISO_DATE))
            .minimum(Some(FIRST_MILLISECOND))
            .maximum(Some(LAST_MILLISECOND)),
    )
}

/// A boolean in a query.
pub(super) fn truth() -> RefOr<Schema> {
    words(&["true", "false", "1", "0", "yes", "no"])
}

/// The orders of lists of users.
pub(super) fn order_of_users() -> RefOr<Schema> {
    order(Listed::Users)
}

/// The orders of lists of billings.
pub(super) fn order_of_billings() -> RefOr<Schema> {
    order(Listed::Billings)
}

fn order(listed: Listed) -> RefOr<Schema> {
    let both: Vec<String> = listed
        .orders()
        .iter()
        .flat_map(|field| [(*field).to_owned(), format!("-{field}")])
        .collect();
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    words(&both)
}

fn words(words: &[&str]) -> RefOr<Schema> {
    done(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words.iter().copied())),
    )
}
