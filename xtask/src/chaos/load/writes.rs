//! Writes through the API, each with an `Idempotency-Key`: what got no answer is sent again, to whichever process, until it
//! has one, and what was answered is sometimes sent again all the same.

use std::time::Duration;

use anyhow::Result;
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::World;
use crate::chaos::book::{ExpectedBilling, ExpectedUser, lock};

/// How many write at a time, each about users of its own.
pub(super) const WRITERS: u64 = 4;
/// How many writes a writer makes about one user before it takes the next.
const WRITES_A_USER: u32 = 25;
/// The pause between two writes, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 20..250;
/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names the invariants that are checked here, while it goes on.
pub(in crate::chaos) const ANSWERS: &str = "every_answer_is_the_right_one";
pub(in crate::chaos) const REPEATS: &str = "every_repeat_is_answered_alike";

/// Writes until the world says that it is enough.
pub(super) async fn run(world: World, number: u64) -> Result<()> {
    let mut writer = Writer {
        chance: world.chances("writer", number),
        http: reqwest::Client::builder().timeout(PATIENCE).build()?,
        number,
        keys: 0,
        world,
    };
    for user in 0_u32.. {
        let user_id = format!("api-{number}-{user}");
        if !writer.world.goes_on() || !writer.create_user(&user_id).await {
            break;
        }
        for _ in 0..WRITES_A_USER {
            if !writer.world.goes_on() {
                return Ok(());
            }
            writer.write(&user_id).await;
            let pause = writer.chance.random_range(PAUSE_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
    Ok(())
}

struct Writer {
    world: World,
    chance: StdRng,
    http: reqwest::Client,
    number: u64,
    keys: u64,
}

/// An answer that decides.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    body: Value,
}

impl Writer {
    async fn create_user(&mut self, user_id: &str) -> bool {
        let number: u32 = self.chance.random_range(900_000_000..999_999_999);
        for shown in [number.to_string(), format!("998{number}")] {
            self.world.book.phone(shown);
        }
        let body = json!({
            "userId": user_id, "address": {"city": "Tashkent"}, "phone": {"codeNumber": "+998", "phoneNumber": number},
        });
        let made = self.send(Method::POST, "/api/users", &body).await;
        if !self.expect("POST /api/users", made.as_ref(), 201) {
            return false;
        }
        let user = ExpectedUser {
            city: Some("Tashkent".to_owned()),
            active: true,
        };
        lock(&self.world.book.api).users.insert(user_id.to_owned(), user);
        true
    }

    async fn write(&mut self, user_id: &str) {
        match self.chance.random_range(0..20) {
            0..9 => self.create_billing(user_id).await,
            9..12 => self.change_user(user_id).await,
            12..15 => self.pay_billing(user_id).await,
            15..17 => self.delete_billing(user_id).await,
            17 => self.read(user_id).await,
            18 => self.delete_user(user_id).await,
            _ => self.create_twice(user_id).await,
        }
    }

    fn user(&self, user_id: &str) -> Option<ExpectedUser> {
        lock(&self.world.book.api).users.get(user_id).cloned()
    }

    async fn create_billing(&mut self, user_id: &str) {
        let total = self.chance.random_range(1..1_000_000_i64);
        let body =
            json!({"userId": user_id, "dueDate": "2030-01-31T00:00:00.000Z", "totalInvoice": total, "serviceId": "7"});
        let expected = match self.user(user_id) {
            None => 404,
            Some(user) if user.active => 201,
            Some(_) => 400,
        };
        let made = self.send(Method::POST, "/api/billings", &body).await;
        if !self.expect("POST /api/billings", made.as_ref(), expected) || expected != 201 {
            return;
        }
        let id = made
            .as_ref()
            .and_then(|made| made.body["billingId"].as_str())
            .map(str::to_owned);
        let Some(id) = id else {
            self.world
                .book
                .complain(ANSWERS, format!("a billing was made without a number: {made:?}"));
            return;
        };
        let billing = ExpectedBilling {
            user_id: user_id.to_owned(),
            total,
            paid: false,
        };
        if let Some(other) = lock(&self.world.book.api).billings.insert(id.clone(), billing) {
            let text = format!("number {id} was given twice: to {user_id} and to {}", other.user_id);
            self.world.book.complain(ANSWERS, text);
        }
    }

    async fn change_user(&mut self, user_id: &str) {
        let city = format!("City {}", self.chance.random_range(0..1_000));
        let active = self.chance.random_bool(0.7);
        let body = json!({"address": {"city": city}, "isActive": active});
        let expected = if self.user(user_id).is_some() { 200 } else { 404 };
        let changed = self.send(Method::PUT, &format!("/api/users/{user_id}"), &body).await;
        if self.expect("PUT /api/users", changed.as_ref(), expected) && expected == 200 {
            let user = ExpectedUser {
                city: Some(city),
                active,
            };
            lock(&self.world.book.api).users.insert(user_id.to_owned(), user);
        }
    }

    /// One of the user's billings, by its number.
    fn billing(&mut self, user_id: &str) -> Option<String> {
        let api = lock(&self.world.book.api);
        let own: Vec<&String> = api
            .billings
            .iter()
            .filter(|(_, billing)| billing.user_id == user_id)
            .map(|(id, _)| id)
            .collect();
        own.choose(&mut self.chance).map(|id| (*id).clone())
    }

    async fn pay_billing(&mut self, user_id: &str) {
        let Some(id) = self.billing(user_id) else { return };
        let paid = self
            .send(Method::PUT, &format!("/api/billings/{id}"), &json!({"isPaid": true}))
            .await;
        if self.expect("PUT /api/billings", paid.as_ref(), 200)
            && let Some(billing) = lock(&self.world.book.api).billings.get_mut(&id)
        {
            billing.paid = true;
        }
    }

    async fn delete_billing(&mut self, user_id: &str) {
        let Some(id) = self.billing(user_id) else { return };
        let deleted = self
            .send(Method::DELETE, &format!("/api/billings/{id}"), &Value::Null)
            .await;
        if self.expect("DELETE /api/billings", deleted.as_ref(), 200) {
            let mut api = lock(&self.world.book.api);
            api.billings.remove(&id);
            api.deleted.insert(id);
        }
    }

    async fn delete_user(&mut self, user_id: &str) {
        let expected = if self.user(user_id).is_some() { 200 } else { 404 };
        let deleted = self
            .send(Method::DELETE, &format!("/api/users/{user_id}"), &Value::Null)
            .await;
        if self.expect("DELETE /api/users", deleted.as_ref(), expected) {
            lock(&self.world.book.api).users.remove(user_id);
        }
    }

    async fn create_twice(&mut self, user_id: &str) {
        if self.user(user_id).is_none() {
            self.create_user(user_id).await;
            return;
        }
        let refused = self.send(Method::POST, "/api/users", &json!({"userId": user_id})).await;
        self.expect("POST /api/users of a user who exists", refused.as_ref(), 409);
    }

    /// What was acknowledged by one process is seen through another.
    async fn read(&mut self, user_id: &str) {
        let expected = self.user(user_id);
        let path = format!("/api/users/{user_id}");
        let Some(found) = self.until_answered(Method::GET, &path, &Value::Null, None).await else {
            return;
        };
        let seen = (found.status == 200).then(|| ExpectedUser {
            city: found.body["address"]["city"].as_str().map(str::to_owned),
            active: found.body["isActive"] == true,
        });
        if seen != expected {
            let text = format!("GET {path} shows {seen:?} ({}), expected {expected:?}", found.status);
            self.world.book.complain(ANSWERS, text);
        }
    }

    /// Whether the answer has the status that the model expects; none at all is counted as such.
    fn expect(&self, what: &str, answer: Option<&Answer>, status: u16) -> bool {
        match answer {
            Some(answer) if answer.status == status => {
                lock(&self.world.book.api).answered += 1;
                true
            }
            Some(answer) => {
                let text = format!(
                    "{what} was answered with {}, expected {status}: {}",
                    answer.status, answer.body
                );
                self.world.book.complain(ANSWERS, text);
                false
            }
            None => {
                let text = format!("{what} had no answer long after the last fault");
                self.world.book.complain(ANSWERS, text);
                false
            }
        }
    }

    /// Sends a write until it is answered, and then perhaps once more, which must be answered alike.
    async fn send(&mut self, method: Method, path: &str, body: &Value) -> Option<Answer> {
        self.keys += 1;
        let key = format!("chaos-{}-{}", self.number, self.keys);
        let answer = self.until_answered(method.clone(), path, body, Some(&key)).await?;
        if (200..300).contains(&answer.status) && self.chance.random_bool(0.2) {
            let again = self.until_answered(method, path, body, Some(&key)).await?;
            if again != answer {
                let text = format!(
                    "{path} with key {key} was answered with {} {} and then with {} {}",
                    answer.status, answer.body, again.status, again.body
                );
                self.world.book.complain(REPEATS, text);
            }
        }
        Some(answer)
    }

    async fn until_answered(&mut self, method: Method, path: &str, body: &Value, key: Option<&str>) -> Option<Answer> {
        loop {
            let members = &self.world.stage.fleet.members;
            let url = members.choose(&mut self.chance).map_or("", |member| &member.url);
            let mut request = self.http.request(method.clone(), format!("{url}{path}"));
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if !body.is_null() {
                request = request.json(body);
            }
            let mut pause = Duration::from_millis(200);
            if let Ok(response) = request.send().await {
                let status = response.status().as_u16();
                let asked: Option<u64> = response
                    .headers()
                    .get("retry-after")
                    .and_then(|value| value.to_str().ok()?.parse().ok());
                let body = response.text().await;
                if let Ok(body) = body {
                    let body: Value = serde_json::from_str(&body).unwrap_or(Value::String(body));
                    if decides(status, &body) {
                        return Some(Answer { status, body });
                    }
                }
                pause = pause.max(Duration::from_secs(asked.unwrap_or(0).min(2)));
            }
            lock(&self.world.book.api).repeated += 1;
            if Instant::now() > self.world.give_up() {
                return None;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether an answer is the last word. What is not says "try again".
fn decides(status: u16, body: &Value) -> bool {
    match status {
        408 | 425 | 429 | 500.. => false,
        409 => body["code"] != "idempotency_key_in_use",
        _ => true,
    }
}
