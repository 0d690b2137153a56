//! Telegram: whether the bot and its group are there. Nothing is sent to the group.

use billwright_connectors::{
    telegram::{TelegramError, TelegramSettings},
    telegram_probe::{ProbeError, probe},
};

use super::Finding;
use crate::config::TelegramConfig;

const NAME: &str = "Telegram";

/// Tries it.
pub(super) async fn check(config: Option<&TelegramConfig>) -> Vec<Finding> {
    let Some(config) = config else {
        return vec![Finding::warning(
            NAME,
            "notifications are off",
            "set `TELEGRAM_BOT_TOKEN` and `TELEGRAM_GROUP_ID`, if the team wants to be told",
        )];
    };
    let settings = TelegramSettings {
        base_url: config.base_url.clone(),
        bot_token: config.bot_token.clone(),
        group_id: config.group_id.clone(),
    };
    vec![match probe(&settings).await {
        Ok(facts) => Finding::ok(
            NAME,
            format!("bot `{}` in the {} `{}`", facts.bot, facts.kind, facts.group),
        ),
        Err(error) => {
            let what_to_do = match &error {
                ProbeError::Bot(TelegramError::Unauthorized) => {
                    "set `TELEGRAM_BOT_TOKEN` to the token that BotFather gave"
                }
                ProbeError::Group(TelegramError::Kicked { .. }) => "add the bot to the group again",
                ProbeError::Group(TelegramError::Migrated { .. }) => "set `TELEGRAM_GROUP_ID` to the new id",
                ProbeError::Group(TelegramError::BadRequest { .. } | TelegramError::Unauthorized) => {
                    "set `TELEGRAM_GROUP_ID` to the group's id (a group's begins with `-`), and add the bot to the group"
                }
                _ => "see that this machine reaches `TELEGRAM_BASE_URL`",
            };
            Finding::failed(NAME, error.to_string(), what_to_do)
        }
    }]
}
