//! Billz's unknown habits: where nobody outside knows what it does, the sandbox can be set to each plausible answer.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// One choice for each habit of Billz that is unknown; the default is the one that is hardest on a careless client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variants {
    /// A client is created with a phone number that another one has.
    pub duplicate_phone: DuplicatePhone,
    /// A product is added to a sale that already has it.
    pub same_product: SameProduct,
    /// A deleted sale is deleted again.
    pub second_delete: SecondDelete,
    /// A deleted sale is read.
    pub deleted_order: DeletedOrder,
    /// A paid sale is paid again.
    pub second_payment: SecondPayment,
    /// Whether `order_payments` of a sale is shown to the integration key.
    pub order_payments: OrderPayments,
    /// `park_status` of a paid sale.
    pub paid_park_status: PaidParkStatus,
    /// `count` in lists.
    pub list_count: ListCount,
    /// The `comment` sent with a new sale.
    pub draft_comment: DraftComment,
    /// Where the answer to a read of a sale has the sale.
    pub order_shape: OrderShape,
    /// What the filter by phone number finds.
    pub phone_filter: PhoneFilter,
    /// Key of the list of cash boxes.
    pub cash_box_key: CashBoxKey,
    /// Whether the list of shops names their cash boxes, or only how many there are.
    pub shop_cash_boxes: ShopCashBoxes,
    /// An empty list.
    pub empty_list: EmptyList,
    /// How a refused sale is said.
    pub sale_error: SaleError,
    /// How a wrong secret is refused at login.
    pub login_refusal: LoginRefusal,
    /// What an access token looks like.
    pub access_token: AccessToken,
    /// Whether 429 carries `Retry-After`.
    pub retry_after: RetryAfter,
    /// What a list answers to a key whose role lacks it.
    pub forbidden_list: ForbiddenList,
    /// Whether a parked sale whose time has passed still holds its units.
    pub expired_park: ExpiredPark,
    /// A percentage is taken off a sale that already has one.
    pub second_percentage: SecondPercentage,
    /// Whether the calls of old (`POST /v1/orders`) still answer.
    pub legacy_calls: LegacyCalls,
}

/// Runs a piece of code for each habit, with its name and its choices.
macro_rules! for_each_habit {
    ($run:ident) => {
        $run!(duplicate_phone, DuplicatePhone);
        $run!(same_product, SameProduct);
        $run!(second_delete, SecondDelete);
        $run!(deleted_order, DeletedOrder);
        $run!(second_payment, SecondPayment);
        $run!(order_payments, OrderPayments);
        $run!(paid_park_status, PaidParkStatus);
        $run!(list_count, ListCount);
        $run!(draft_comment, DraftComment);
        $run!(order_shape, OrderShape);
        $run!(phone_filter, PhoneFilter);
        $run!(cash_box_key, CashBoxKey);
        $run!(shop_cash_boxes, ShopCashBoxes);
        $run!(empty_list, EmptyList);
        $run!(sale_error, SaleError);
        $run!(login_refusal, LoginRefusal);
        $run!(access_token, AccessToken);
        $run!(retry_after, RetryAfter);
        $run!(forbidden_list, ForbiddenList);
        $run!(expired_park, ExpiredPark);
        $run!(second_percentage, SecondPercentage);
        $run!(legacy_calls, LegacyCalls);
    };
}

impl Variants {
    /// The default, and for every habit each of its other choices, by a name such as `same_product=AddsLine`: what a
    /// client has to get along with.
    pub fn each() -> Vec<(String, Self)> {
        let mut all = vec![("default".to_owned(), Self::default())];
        macro_rules! others {
            ($habit:ident, $choices:ident) => {
                for choice in &$choices::ALL[1..] {
                    let name = format!("{}={choice:?}", stringify!($habit));
                    all.push((
                        name,
                        Self {
                            $habit: *choice,
                            ..Self::default()
                        },
                    ));
                }
            };
        }
        for_each_habit!(others);
        all
    }

    /// A choice for every habit, drawn by a seed.
    pub fn drawn(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut variants = Self::default();
        macro_rules! draw {
            ($habit:ident, $choices:ident) => {
                variants.$habit = $choices::ALL[chance.random_range(0..$choices::ALL.len())];
            };
        }
        for_each_habit!(draw);
        variants
    }
}

macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $(#[$first_about:meta])* $first:ident, $($(#[$other_about:meta])* $other:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[$first_about])* #[default] $first,
            $($(#[$other_about])* $other),+
        }
        impl $name {
            /// Every choice, the default first.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$other),+];
        }
    };
}

choice! {
    /// See [`Variants::duplicate_phone`].
    DuplicatePhone {
        /// A second client appears.
        Doubled,
        /// The call is refused.
        Refused,
    }
}

choice! {
    /// See [`Variants::same_product`].
    SameProduct {
        /// The quantities are added in one line.
        Sums,
        /// A second line appears.
        AddsLine,
    }
}

choice! {
    /// See [`Variants::second_delete`].
    SecondDelete {
        /// Not found.
        NotFound,
        /// Accepted.
        Accepted,
    }
}

choice! {
    /// See [`Variants::deleted_order`].
    DeletedOrder {
        /// Not found.
        NotFound,
        /// The sale with `deleted: true`.
        Marked,
    }
}

choice! {
    /// See [`Variants::second_payment`].
    SecondPayment {
        /// Accepted, and counted.
        Accepted,
        /// Refused.
        Refused,
    }
}

choice! {
    /// See [`Variants::order_payments`].
    OrderPayments {
        /// Never shown.
        Hidden,
        /// Shown.
        Visible,
    }
}

choice! {
    /// See [`Variants::paid_park_status`].
    PaidParkStatus {
        /// Always empty, as in the documentation's example.
        Empty,
        /// Always `completed`.
        Completed,
        /// `completed` for a sale that was parked, else empty.
        CompletedIfParked,
    }
}

choice! {
    /// See [`Variants::list_count`].
    ListCount {
        /// The number of all matches.
        Correct,
        /// Always 0, as in the documentation's example.
        Zero,
    }
}

choice! {
    /// See [`Variants::draft_comment`].
    DraftComment {
        /// Dropped.
        Dropped,
        /// Stored.
        Stored,
    }
}

choice! {
    /// See [`Variants::order_shape`].
    OrderShape {
        /// The sale itself.
        Plain,
        /// The sale under `data`.
        InData,
    }
}

choice! {
    /// See [`Variants::phone_filter`].
    PhoneFilter {
        /// Clients with the same digits.
        Digits,
        /// Clients with the very same text.
        Verbatim,
        /// Everyone whose number begins alike; others may come first.
        Fuzzy,
    }
}

choice! {
    /// See [`Variants::cash_box_key`].
    CashBoxKey {
        /// `cash_boxes`.
        CashBoxes,
        /// `cashboxes`.
        Cashboxes,
    }
}

choice! {
    /// See [`Variants::shop_cash_boxes`].
    ShopCashBoxes {
        /// Listed with every shop.
        Listed,
        /// Only counted.
        Counted,
    }
}

choice! {
    /// See [`Variants::empty_list`].
    EmptyList {
        /// `null`.
        Null,
        /// `[]`.
        Empty,
    }
}

choice! {
    /// See [`Variants::sale_error`].
    SaleError {
        /// Status 400 with `data.error_code`.
        BadRequest,
        /// Status 200, the envelope's `status_code` 400, and `data.error_code`.
        Envelope,
        /// Status 200 and nothing but `data.error_code`.
        BareCode,
    }
}

choice! {
    /// See [`Variants::login_refusal`].
    LoginRefusal {
        /// Status 401.
        Unauthorized,
        /// Status 200 with another `code` in the body.
        InBody,
    }
}

choice! {
    /// See [`Variants::access_token`].
    AccessToken {
        /// A JWT with `exp`.
        Jwt,
        /// A text that says nothing.
        Opaque,
    }
}

choice! {
    /// See [`Variants::retry_after`].
    RetryAfter {
        /// Not sent.
        Absent,
        /// Sent, in seconds.
        Sent,
    }
}

choice! {
    /// See [`Variants::forbidden_list`].
    ForbiddenList {
        /// Status 403.
        Forbidden,
        /// Status 200, count 0 and no rows.
        Empty,
    }
}

choice! {
    /// See [`Variants::expired_park`].
    ExpiredPark {
        /// Its units stay locked.
        Holds,
        /// Its units are free again.
        Frees,
    }
}

choice! {
    /// See [`Variants::second_percentage`].
    SecondPercentage {
        /// It replaces the first.
        Replaces,
        /// It is taken off what the first left.
        Compounds,
    }
}

choice! {
    /// See [`Variants::legacy_calls`].
    LegacyCalls {
        /// Not found.
        Gone,
        /// They work.
        Answer,
    }
}
