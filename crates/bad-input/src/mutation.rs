//! Changes an input a little: its JSON at one place or a few, or its bytes.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

/// A mutation of `seed`, which may have a head: headers up to a NUL, or a first line.
pub(crate) fn of(seed: &[u8], random: &mut StdRng) -> Vec<u8> {
    let separator = if seed.contains(&0) { 0 } else { b'\n' };
    let head = match seed.iter().position(|byte| *byte == separator) {
        Some(at) if at + 1 < seed.len() => at + 1,
        _ => 0,
    };
    let (head, body) = seed.split_at(head);
    let (mut head, mut body) = (head.to_vec(), body.to_vec());
    if !head.is_empty() && random.random_ratio(1, 5) {
        head.pop();
        change_piece(&mut head, random);
        head.push(separator);
    } else {
        change_piece(&mut body, random);
    }
    head.append(&mut body);
    head
}

/// Changes JSON as such, mostly, and anything else byte by byte.
fn change_piece(piece: &mut Vec<u8>, random: &mut StdRng) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(piece)
        && random.random_ratio(9, 10)
    {
        for _ in 0..random.random_range(1..=3) {
            change(&mut value, random);
        }
        *piece = value.to_string().into_bytes();
        if random.random_ratio(9, 10) {
            return;
        }
    }
    change_bytes(piece, random);
}

/// Changes the value somewhere: the walk goes down by chance and ends by chance.
fn change(value: &mut Value, random: &mut StdRng) {
    match value {
        Value::Object(fields) if !fields.is_empty() && random.random_ratio(9, 10) => {
            let place = random.random_range(0..fields.len());
            let Some(name) = fields.keys().nth(place).cloned() else {
                return;
            };
            match random.random_range(0..10) {
                0 => drop(fields.remove(&name)),
                1 => {
                    // The value under another's name.
                    let moved = fields.values().nth(random.random_range(0..fields.len())).cloned();
                    fields.insert(name, moved.unwrap_or_default());
                }
                2 => drop(fields.insert(text(random), Value::Null)),
                _ => change(&mut fields[&name], random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.random_ratio(8, 10) => {
            let place = random.random_range(0..items.len());
            match random.random_range(0..10) {
                0 => drop(items.remove(place)),
                1 => items.extend(vec![items[place].clone(); random.random_range(1..300)]),
                _ => change(&mut items[place], random),
            }
        }
        _ => *value = odd(random),
    }
}

/// A text that has made trouble somewhere.
fn text(random: &mut StdRng) -> String {
    const TEXTS: [&str; 30] = [
        "",
        " ",
        "0",
        "-1",
        "-0",
        "1e999",
        "1e-30",
        "NaN",
        "0x10",
        "1_000",
        "true",
        "no",
        "null",
        "\0",
        "a\u{0}b",
        "\r\n",
        "\u{202e}",
        "\u{7f}",
        "'\"`<b>",
        "+998901112233",
        "998 (90) 111-22-33",
        "tel998901112233",
        "1234567890:AAH_some-token-of-a-bot-as-it-looks",
        "$gt",
        "2026-12-01",
        "0001-01-01T00:00:00Z",
        "+262143-12-31T23:59:59Z",
        "9999-12-31T23:59:60.999+14:00",
        "64a7b8c9d5e6f7890abcdef1",
        "cccccccc-0000-4000-8000-000000000003",
    ];
    match random.random_range(0..10) {
        0 => "x".repeat(random.random_range(1..5_000)),
        1 => "😀".repeat(random.random_range(1..500)),
        2 => (0..random.random_range(1..20))
            .map(|_| random.random::<char>())
            .collect(),
        3 => random.random_range(0..u64::MAX).to_string(),
        4 => random.random::<f64>().to_string(),
        _ => TEXTS.choose(random).copied().unwrap_or_default().to_owned(),
    }
}

fn odd(random: &mut StdRng) -> Value {
    match random.random_range(0..16) {
        0 => Value::Null,
        1 => Value::Bool(random.random()),
        2 => json!({}),
        3 => json!([]),
        4 => json!({"$gt": ""}),
        5 => json!(vec![json!({}); random.random_range(1..200)]),
        6 => (0..random.random_range(1..120)).fold(json!(1), |inner, _| json!([inner])),
        7 => json!(random.random::<i64>()),
        8 => json!(random.random::<u64>()),
        9 => json!(f64::from_bits(random.random())),
        10 => json!(f64::from(random.random_range(-1_000_000..1_000_000)) / 64.0),
        11 => {
            let numbers = [
                json!(-1),
                json!(998_901_112_233_u64),
                json!(9_007_199_254_740_993_u64),
                json!(i64::MIN),
            ];
            numbers.choose(random).cloned().unwrap_or_default()
        }
        12 => {
            let names = (0..random.random_range(1..5)).map(|_| (text(random), Value::from(text(random))));
            Value::Object(names.collect::<Map<_, _>>())
        }
        _ => Value::from(text(random)),
    }
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..=4) {
        let place = random.random_range(0..=bytes.len());
        let end = random.random_range(place..=bytes.len().min(place + 20));
        match random.random_range(0..5) {
            0 => bytes.truncate(place),
            1 => drop(bytes.drain(place..end)),
            2 => {
                let copied = bytes[place..end].to_vec();
                drop(bytes.splice(place..place, copied));
            }
            3 => drop(bytes.splice(place..place, text(random).into_bytes())),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = random.random();
                }
            }
        }
    }
}
