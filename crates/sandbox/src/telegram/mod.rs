//! Telegram: `sendMessage`, `getMe` and `getChat`, with the limits of groups, groups that moved, and a bot that was kicked out.

mod html;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::{
    ledger::MessageRecord,
    message::{Reply, Request},
    settings::TelegramSettings,
    world::{Endpoint, World},
};

/// The longest text, in UTF-16 units after the mark-up is taken out.
const LONGEST_TEXT: usize = 4096;
const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

/// What the bot knows of its chats.
#[derive(Debug)]
pub(crate) struct Chats {
    titles: HashMap<i64, String>,
    moved: HashMap<i64, i64>,
    kicked: HashSet<i64>,
    /// Moments at which messages were taken, per chat, of the last minute.
    taken: HashMap<i64, VecDeque<Instant>>,
    messages: Vec<MessageRecord>,
}

impl Chats {
    pub(crate) fn new(settings: &TelegramSettings) -> Self {
        Self {
            titles: settings.groups.iter().cloned().collect(),
            moved: HashMap::new(),
            kicked: HashSet::new(),
            taken: HashMap::new(),
            messages: Vec::new(),
        }
    }

    pub(crate) fn messages(&self) -> &[MessageRecord] {
        &self.messages
    }

    /// The group becomes a supergroup with another id.
    pub(crate) fn move_group(&mut self, from: i64, to: i64) {
        let title = self.titles.get(&from).cloned().unwrap_or_default();
        self.titles.insert(to, title);
        self.moved.insert(from, to);
    }

    /// The bot is thrown out of a chat, or let in again.
    pub(crate) fn set_kicked(&mut self, chat_id: i64, kicked: bool) {
        if kicked {
            self.kicked.insert(chat_id);
        } else {
            self.kicked.remove(&chat_id);
        }
    }
}

/// Which Telegram call a path is: `/bot<token>/<method>`.
pub(crate) fn endpoint_of(method: &Method, path: &str) -> Option<Endpoint> {
    let (_, call) = token_and_call(path)?;
    let is_known_verb = matches!(*method, Method::GET | Method::POST);
    Some(match call {
        call if is_known_verb && call.eq_ignore_ascii_case("sendMessage") => Endpoint::SendMessage,
        call if is_known_verb && call.eq_ignore_ascii_case("getMe") => Endpoint::GetMe,
        call if is_known_verb && call.eq_ignore_ascii_case("getChat") => Endpoint::GetChat,
        _ => Endpoint::Unknown,
    })
}

/// The path without the token, for the ledger.
pub(crate) fn masked_path(path: &str) -> String {
    token_and_call(path).map_or_else(|| path.to_owned(), |(_, call)| format!("/bot…/{call}"))
}

fn token_and_call(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/bot")?.split_once('/')
}

fn failure(code: u16, description: &str) -> Reply {
    Reply::json(
        code,
        &json!({"ok": false, "error_code": code, "description": description}),
    )
}

/// Parameters from the query, a form or JSON; the body wins.
fn parameters(request: &Request) -> Result<Map<String, Value>, Reply> {
    let mut parameters: Map<String, Value> = request
        .query
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.clone())))
        .collect();
    if request.body.is_empty() {
        return Ok(parameters);
    }
    let content_type = request.header("content-type").unwrap_or_default();
    if content_type.starts_with("application/json") {
        match request.json() {
            Ok(Value::Object(object)) => parameters.extend(object),
            _ => return Err(failure(400, "Bad Request: can't parse JSON object")),
        }
    } else {
        let form = url::form_urlencoded::parse(&request.body);
        parameters.extend(form.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))));
    }
    Ok(parameters)
}

impl World {
    /// Answers a Telegram call; the flag says whether it took effect.
    pub(crate) fn telegram(&mut self, endpoint: Endpoint, request: &Request) -> (Reply, bool) {
        let token = token_and_call(&request.path)
            .map(|(token, _)| token)
            .unwrap_or_default();
        if token != self.settings.telegram.bot_token {
            return (failure(401, "Unauthorized"), false);
        }
        let answered = match endpoint {
            Endpoint::GetMe => Ok(json!({
                "id": self.bot_id(), "is_bot": true, "first_name": "Sandbox", "username": "sandbox_bot",
                "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false,
            })),
            Endpoint::GetChat => parameters(request).and_then(|parameters| self.chat(&parameters)),
            Endpoint::SendMessage => parameters(request).and_then(|parameters| self.send_message(&parameters)),
            _ => Err(failure(404, "Not Found")),
        };
        match answered {
            Ok(result) => (Reply::json(200, &json!({"ok": true, "result": result})), true),
            Err(reply) => (reply, false),
        }
    }

    fn bot_id(&self) -> i64 {
        let token = &self.settings.telegram.bot_token;
        token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(1)
    }

    /// The chat that the parameters name, if the bot knows it.
    fn known_chat(&self, parameters: &Map<String, Value>) -> Result<i64, Reply> {
        let chat_id = match parameters.get("chat_id") {
            Some(Value::Number(id)) => id.as_i64(),
            Some(Value::String(id)) => id.trim().parse().ok(),
            None | Some(Value::Null) => return Err(failure(400, "Bad Request: chat_id is empty")),
            Some(_) => None,
        };
        chat_id
            .filter(|id| self.chats.titles.contains_key(id))
            .ok_or_else(|| failure(400, "Bad Request: chat not found"))
    }

    fn chat(&self, parameters: &Map<String, Value>) -> Result<Value, Reply> {
        let chat_id = self.known_chat(parameters)?;
        if self.chats.kicked.contains(&chat_id) {
            return Err(failure(403, "Forbidden: bot was kicked from the supergroup chat"));
        }
        Ok(json!({"id": chat_id, "title": self.chats.titles.get(&chat_id), "type": "supergroup"}))
    }

    fn send_message(&mut self, parameters: &Map<String, Value>) -> Result<Value, Reply> {
        let chat_id = self.known_chat(parameters)?;
        if let Some(to) = self.chats.moved.get(&chat_id) {
            return Err(Reply::json(
                400,
                &json!({"ok": false, "error_code": 400,
                    "description": "Bad Request: group chat was upgraded to a supergroup chat",
                    "parameters": {"migrate_to_chat_id": to}}),
            ));
        }
        if self.chats.kicked.contains(&chat_id) {
            return Err(failure(403, "Forbidden: bot was kicked from the supergroup chat"));
        }
        let text = parameters.get("text").and_then(Value::as_str).unwrap_or_default();
        let parse_mode = parameters
            .get("parse_mode")
            .and_then(Value::as_str)
            .filter(|mode| !mode.is_empty());
        let plain_text = match parse_mode {
            None => text.to_owned(),
            Some(mode) if mode.eq_ignore_ascii_case("HTML") => html::plain_text(text)
                .map_err(|problem| failure(400, &format!("Bad Request: can't parse entities: {problem}")))?,
            Some(_) => return Err(failure(400, "Bad Request: unsupported parse_mode")),
        };
        if plain_text.trim().is_empty() {
            return Err(failure(400, "Bad Request: message text is empty"));
        }
        if plain_text.encode_utf16().count() > LONGEST_TEXT {
            return Err(failure(400, "Bad Request: message is too long"));
        }
        self.take_turn(chat_id)?;
        let message = MessageRecord {
            message_id: self.next_count("telegram message"),
            chat_id,
            text: text.to_owned(),
            plain_text,
            parse_mode: parse_mode.map(str::to_owned),
            at: self.now(),
        };
        let view = json!({
            "message_id": message.message_id,
            "from": {"id": self.bot_id(), "is_bot": true, "first_name": "Sandbox", "username": "sandbox_bot"},
            "chat": {"id": chat_id, "title": self.chats.titles.get(&chat_id), "type": "supergroup"},
            "date": message.at.timestamp(),
            "text": message.plain_text,
        });
        self.chats.messages.push(message);
        Ok(view)
    }

    /// Takes one of the group's turns, or says how long to wait for one.
    fn take_turn(&mut self, chat_id: i64) -> Result<(), Reply> {
        let Some(limit) = self.settings.telegram.group_limit else {
            return Ok(());
        };
        let now = Instant::now();
        let taken = self.chats.taken.entry(chat_id).or_default();
        while taken.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            taken.pop_front();
        }
        let wait_for = |allowed: u32, window: Duration| {
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            let blocking = taken.len().checked_sub(allowed).and_then(|place| taken.get(place));
            blocking
                .map(|at| window.saturating_sub(now.duration_since(*at)))
                .filter(|wait| !wait.is_zero())
        };
        let wait = wait_for(limit.per_minute, MINUTE).max(wait_for(limit.per_second, SECOND));
        let Some(wait) = wait else {
            taken.push_back(now);
            return Ok(());
        };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(Reply::json(
            429,
            &json!({"ok": false, "error_code": 429,
                "description": format!("Too Many Requests: retry after {seconds}"),
                "parameters": {"retry_after": seconds}}),
        ))
    }
}
