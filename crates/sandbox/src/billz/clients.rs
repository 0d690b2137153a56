//! Clients: creation, and the search that is told not to be trusted.

use serde_json::{Value, json};

use super::{Refusal, listing::Page, text};
use crate::{
    ledger::ClientRecord,
    message::Request,
    variants::{DuplicatePhone, PhoneFilter},
    world::{World, digits},
};

/// So many first digits make two numbers alike for the fuzzy filter.
const ALIKE_DIGITS: usize = 5;

impl World {
    pub(crate) fn create_client(&mut self, body: &Value) -> Result<Value, Refusal> {
        let first_name = text(body, "first_name")?.to_owned();
        let phone_number = text(body, "phone_number")?.to_owned();
        let phone_digits = digits(&phone_number);
        if phone_digits.is_empty() {
            return Err(Refusal::bad("phone_number must hold digits"));
        }
        if self.settings.variants.duplicate_phone == DuplicatePhone::Refused
            && self.clients_by_digits.contains_key(&phone_digits)
        {
            return Err(Refusal::bad("client with this phone number already exists"));
        }
        let optional = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let client = ClientRecord {
            id: self.next_id("client"),
            first_name,
            last_name: optional("last_name"),
            phone_number,
            birth_date: optional("date_of_birth"),
            chat_id: optional("chat_id"),
            created_at: self.now(),
        };
        let answer = json!({"id": client.id});
        self.add_client(client);
        Ok(answer)
    }

    pub(crate) fn find_clients(&self, request: &Request) -> Result<Value, Refusal> {
        let page = Page::of(request, 10)?;
        let mut found: Vec<&ClientRecord> = match request.query("phone_number").filter(|phone| !phone.is_empty()) {
            Some(phone) => self.clients_with_phone(phone),
            None => self.clients.iter().collect(),
        };
        if let Some(search) = request.query("search").filter(|search| !search.is_empty()) {
            let wanted = search.to_lowercase();
            // Only a search that is a number looks at numbers.
            let number = search
                .chars()
                .all(|letter| letter.is_ascii_digit() || "+ ()-".contains(letter));
            let wanted_digits = if number { digits(search) } else { String::new() };
            found.retain(|client| {
                format!("{} {}", client.first_name, client.last_name)
                    .to_lowercase()
                    .contains(&wanted)
                    || (!wanted_digits.is_empty() && digits(&client.phone_number).contains(&wanted_digits))
            });
        }
        if let Some(chat_id) = request.query("chat_id").filter(|chat_id| !chat_id.is_empty()) {
            found.retain(|client| client.chat_id == chat_id);
        }
        let count = found.len();
        let rows = page.cut(found).into_iter().map(client_view).collect();
        Ok(self.list("clients", count, rows))
    }

    fn clients_with_phone(&self, phone: &str) -> Vec<&ClientRecord> {
        let wanted = digits(phone);
        let same_digits = || {
            let places = self
                .clients_by_digits
                .get(&wanted)
                .map(Vec::as_slice)
                .unwrap_or_default();
            places.iter().filter_map(|place| self.clients.get(*place))
        };
        match self.settings.variants.phone_filter {
            PhoneFilter::Digits => same_digits().collect(),
            PhoneFilter::Verbatim => same_digits().filter(|client| client.phone_number == phone).collect(),
            PhoneFilter::Fuzzy => {
                let alike = wanted.get(..ALIKE_DIGITS).unwrap_or(&wanted);
                self.clients
                    .iter()
                    .filter(|client| digits(&client.phone_number).starts_with(alike))
                    .collect()
            }
        }
    }
}

fn client_view(client: &ClientRecord) -> Value {
    json!({
        "id": client.id,
        "first_name": client.first_name,
        "last_name": client.last_name,
        "phone_numbers": [client.phone_number],
        "cards": [],
        "chat_id": client.chat_id,
        "balance": 0,
        "birth_date": client.birth_date,
        "created_at": crate::clock::company_time(client.created_at).format("%Y-%m-%d").to_string(),
        "first_transaction_date": "",
        "last_transaction_date": "",
    })
}
