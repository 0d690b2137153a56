//! What the jobs are to do, and how to see in Billz's books whether it was done.

use billwright_sandbox::{Decimal, Ledger, OrderState};

/// What a job is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scenario {
    CreateClient,
    CreateOrder,
    AddItem,
    AddClient,
    Postpone,
    CancelPostpone,
    Discount,
    Pay,
    DeleteDraft,
    DeleteParked,
    Get,
    /// `PLACE_ORDER` with a discount, parked.
    PlaceParked,
    PlacePaid,
    /// `PLACE_ORDER` of which the second line is out of stock, so that all is taken back.
    TakeBack,
}

pub(super) const SCENARIOS: [Scenario; 14] = [
    Scenario::CreateOrder,
    Scenario::CreateClient,
    Scenario::AddItem,
    Scenario::AddClient,
    Scenario::Postpone,
    Scenario::CancelPostpone,
    Scenario::Discount,
    Scenario::Pay,
    Scenario::DeleteDraft,
    Scenario::DeleteParked,
    Scenario::Get,
    Scenario::PlaceParked,
    Scenario::PlacePaid,
    Scenario::TakeBack,
];

impl Scenario {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::CreateClient => "CREATE_CLIENT",
            Self::CreateOrder => "CREATE_ORDER",
            Self::AddItem => "ADD_ITEM",
            Self::AddClient => "ADD_CLIENT",
            Self::Postpone => "POSTPONE_ORDER",
            Self::CancelPostpone => "CANCEL_POSTPONE",
            Self::Discount => "CREATE_DISCOUNT",
            Self::Pay => "MAKE_PAYMENT",
            Self::DeleteDraft | Self::DeleteParked => "DELETE_ORDER",
            Self::Get => "GET_ORDER",
            Self::PlaceParked | Self::PlacePaid | Self::TakeBack => "PLACE_ORDER",
        }
    }

    pub(super) fn places(self) -> bool {
        self.kind() == "PLACE_ORDER"
    }

    pub(super) fn deletes(self) -> bool {
        self.kind() == "DELETE_ORDER"
    }

    /// How many more sales there are in Billz once it is done.
    pub(super) fn more_sales(self) -> isize {
        match self {
            Self::CreateOrder | Self::PlaceParked | Self::PlacePaid => 1,
            Self::DeleteDraft | Self::DeleteParked => -1,
            _ => 0,
        }
    }
}

/// What a job is about.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) number: String,
    pub(super) phone: String,
    pub(super) sale: String,
    pub(super) client: String,
    pub(super) sales_before: usize,
}

/// How often the job's work was done in Billz: not at all or once; `None` where it is neither.
pub(super) fn effects(scenario: Scenario, subject: &Subject, ledger: &Ledger) -> Option<u32> {
    let sale = ledger.order(&subject.sale);
    let one_of = |nothing: bool, once: bool| match (nothing, once) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        _ => None,
    };
    let is = |state| sale.is_some_and(|sale| sale.state == state);
    match scenario {
        Scenario::CreateClient => u32::try_from(ledger.client_count(&subject.phone)).ok(),
        Scenario::CreateOrder => u32::try_from(ledger.live_orders().len() - subject.sales_before).ok(),
        Scenario::AddItem => {
            let held: Decimal = sale?.lines.iter().map(|line| line.quantity).sum();
            one_of(held == Decimal::ONE, held == Decimal::from(3))
        }
        Scenario::AddClient => {
            let customer = sale?.customer_id.as_deref();
            one_of(customer.is_none(), customer == Some(&subject.client))
        }
        Scenario::Postpone => one_of(is(OrderState::Draft), is(OrderState::Parked)),
        Scenario::CancelPostpone => one_of(is(OrderState::Parked), is(OrderState::Draft)),
        Scenario::Discount => one_of(sale?.total == Decimal::from(50), sale?.total == Decimal::from(45)),
        Scenario::Pay => one_of(
            is(OrderState::Draft) && ledger.payments_of(&subject.sale).is_empty(),
            is(OrderState::Paid)
                && ledger.times_paid(&subject.sale) == 1
                && ledger.payments_of(&subject.sale)[0].amount == Decimal::from(50),
        ),
        Scenario::DeleteDraft => one_of(is(OrderState::Draft), is(OrderState::Deleted)),
        // Taken out of the park already, which the job's reason says.
        Scenario::DeleteParked => one_of(is(OrderState::Parked) || is(OrderState::Draft), is(OrderState::Deleted)),
        Scenario::Get => None,
        Scenario::PlaceParked | Scenario::PlacePaid | Scenario::TakeBack => {
            let placed = ledger.orders_with_comment(&format!("Order {} - ", subject.number));
            let Some(sale) = placed.first() else { return Some(0) };
            let state = if scenario == Scenario::PlacePaid {
                OrderState::Paid
            } else {
                OrderState::Parked
            };
            let held: Decimal = sale.lines.iter().map(|line| line.quantity).sum();
            let payments = u32::from(scenario == Scenario::PlacePaid);
            let is_whole = placed.len() == 1
                && (sale.state, sale.total, held) == (state, Decimal::from(200), Decimal::from(4))
                && sale.customer_id.is_some()
                && ledger.client_count(&subject.phone) == 1
                && ledger.times_paid(&sale.id) == payments;
            is_whole.then_some(1)
        }
    }
}
