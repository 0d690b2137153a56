//! How values are described that are taken in more than one form.

use billwright_store::billing::lists::Listed;
use utoipa::openapi::{
    ObjectBuilder, RefOr, Type,
    schema::{Object, Schema, SchemaType},
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

/// A whole number of zero or more, or text that holds one.
pub(super) fn number() -> RefOr<Schema> {
    done(
        one_of_types([Type::Number, Type::String, Type::Boolean, Type::Null])
            .minimum(Some(0))
            .pattern(Some(r"^[0-9]{1,12}(\.[0-9]{1,2})?$")),
    )
}

/// A date in ISO 8601 form, or milliseconds since 1970.
pub(super) fn date() -> RefOr<Schema> {
    done(one_of_types([Type::String, Type::Integer]))
}

/// A date, or none.
pub(super) fn date_or_nothing() -> RefOr<Schema> {
    done(one_of_types([Type::String, Type::Integer, Type::Null]))
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
