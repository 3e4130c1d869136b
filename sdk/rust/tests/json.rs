//! The JSON part against this project's vectors, and against texts and values made up by the thousand.

use std::collections::BTreeMap;
use trellis_plugin::json::{self, parse, parse_with, Limits, Object, Value};

/// Canonical JSON (01 §6) written with this crate's writer: members by their UTF-16 code units, all numbers as doubles.
/// `None` for what has no canonical form.
fn canonical(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Int(number) => Value::Float(*number as f64),
        Value::Float(number) if !number.is_finite() || (*number == 0.0 && number.is_sign_negative()) => return None,
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect::<Option<_>>()?),
        Value::Object(object) => {
            let mut members = Vec::new();
            for (name, member) in object.iter() {
                members.push((name.encode_utf16().collect::<Vec<_>>(), name, canonical(member)?));
            }
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let mut sorted = Object::new();
            for (_, name, member) in members {
                sorted.set(name, member);
            }
            sorted.into()
        }
        other => other.clone(),
    })
}

fn has_lone_surrogate(text: &str) -> bool {
    // JSON escapes of the vectors' own text; a pair is a high one directly before a low one.
    let units: Vec<(usize, u32)> = text
        .match_indices("\\u")
        .filter_map(|(at, _)| Some((at, u32::from_str_radix(text.get(at + 2..at + 6)?, 16).ok()?)))
        .collect();
    let is_high = |unit: u32| (0xD800..0xDC00).contains(&unit);
    let is_low = |unit: u32| (0xDC00..0xE000).contains(&unit);
    let mut i = 0;
    while i < units.len() {
        let (at, unit) = units[i];
        let next = units.get(i + 1).filter(|(next, _)| *next == at + 6);
        if is_high(unit) && next.map_or(false, |(_, low)| is_low(*low)) {
            i += 2;
        } else if is_high(unit) || is_low(unit) {
            return true;
        } else {
            i += 1;
        }
    }
    false
}

#[test]
fn texts_and_values_of_the_conformance_vectors() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/canonical-json.json");
    let vectors = parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases = match vectors.get("cases") {
        Some(Value::Array(cases)) => cases,
        _ => panic!("no cases"),
    };
    let (mut compared, mut surrogates) = (0, 0);
    for case in cases {
        let text = |place: &str, member: &str| case.get(place)?.get(member)?.as_str().map(str::to_owned);
        let name = case.get("name").unwrap().as_str().unwrap();
        let input = text("input", "text").unwrap();
        if has_lone_surrogate(&input) {
            surrogates += 1; // what a Rust string can't hold; see a_lone_surrogate_is_replaced
            continue;
        }
        let ours = parse(&input).ok().as_ref().and_then(canonical).map(|value| value.to_string());
        assert_eq!(ours, text("expected", "canonical"), "{}", name);
        compared += 1;
    }
    assert!(compared > 30 && surrogates < 6, "{} compared, {} with surrogates", compared, surrogates);
}

#[test]
fn a_lone_surrogate_is_replaced() {
    assert_eq!(parse(r#""a\ud800b""#), Ok(Value::String("a\u{fffd}b".into())));
    assert_eq!(parse(r#""\udc00\ud83d\ude00""#), Ok(Value::String("\u{fffd}\u{1f600}".into())));
    assert_eq!(parse(r#""\ud83d\u0041""#), Ok(Value::String("\u{fffd}A".into())));
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let bad = [
        "",
        " ",
        "{",
        "[",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\\u\"",
        "\"\u{1}\"",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "nul",
        "truex",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "[1]]",
        "NaN",
        "Infinity",
        "'a'",
        "\u{feff}1",
        "/**/1",
        "\"é\\",
        "[\"é",
    ];
    for text in bad {
        assert!(parse(text).is_err(), "{:?} was taken", text);
    }
    assert_eq!(parse("[1,x]").unwrap_err().to_string(), "not a JSON text: expected a value at byte 3");
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(&nested(512)).is_ok());
    assert!(parse(&nested(513)).is_err());
    assert!(parse(&"[".repeat(1 << 20)).is_err());
    assert!(parse(&"{\"a\":".repeat(1 << 18)).is_err());
    assert!(parse_with("[[1]]", Limits { depth: 1, ..Limits::default() }).is_err());
    assert!(parse_with("12345", Limits { bytes: 4, ..Limits::default() }).is_err());
}

#[test]
fn many_members_cost_no_square_and_the_last_of_a_name_counts() {
    let members: Vec<_> = (0..200_000).map(|i| format!("\"m{}\":{}", i % 100_000, i)).collect();
    let value = parse(&format!("{{{}}}", members.join(","))).unwrap();
    match &value {
        Value::Object(object) => assert_eq!(object.len(), 100_000),
        _ => panic!(),
    }
    assert_eq!(value.get("m7"), Some(&Value::Int(100_007)));
}

#[test]
fn integers_keep_their_digits_and_other_spellings_are_integers_too() {
    assert_eq!(
        json::to_string(&parse("[9223372036854775807,-9223372036854775808]").unwrap()),
        "[9223372036854775807,-9223372036854775808]"
    );
    assert_eq!(json::from_str::<i64>("3.0"), Ok(3));
    assert_eq!(json::from_str::<i64>("3e2"), Ok(300));
    assert_eq!(json::from_str::<u8>("255"), Ok(255));
    assert!(json::from_str::<u8>("256").is_err());
    assert!(json::from_str::<u64>("-1").is_err());
    assert!(json::from_str::<i64>("3.5").is_err());
    assert!(json::from_str::<i64>("9223372036854775808").is_err());
    assert_eq!(json::to_string(&f64::NAN), "null");
    assert_eq!(json::to_string(&u64::MAX), "18446744073709552000");
}

trellis_plugin::record! {
    #[derive(Debug, PartialEq)]
    struct Order {
        id as "orderId": String,
        lines: Vec<Line>,
        note: Option<String>,
        tags: BTreeMap<String, bool>,
    }
}

trellis_plugin::record! {
    #[derive(Debug, PartialEq)]
    struct Line {
        sku: String,
        quantity: u32,
    }
}

#[test]
fn records_read_what_fits_and_say_where_it_does_not() {
    let text = r#"{"orderId":"o1","lines":[{"sku":"bolt","quantity":2}],"tags":{"a/b":true}}"#;
    let order: Order = json::from_str(text).unwrap();
    assert_eq!(order.note, None);
    assert_eq!(json::to_string(&order), text);
    let with_more = text.replace("\"orderId\"", "\"more\":[1],\"note\":null,\"orderId\"");
    assert_eq!(json::from_str::<Order>(&with_more), Ok(order));

    let wrong = |from: &str, to: &str| json::from_str::<Order>(&text.replace(from, to)).unwrap_err().to_string();
    assert_eq!(wrong("2", "-2"), "/lines/0/quantity: expected an integer (u32), found a number");
    assert_eq!(wrong("true", "1"), "/tags/a~1b: expected a boolean, found a number");
    assert_eq!(wrong("\"orderId\":\"o1\",", ""), "/orderId: it isn't there");
    assert_eq!(json::from_str::<Order>("[]").unwrap_err().to_string(), "expected an object, found an array");
}

/// Numbers that look random and are the same on each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 16] = [
            'a', 'B', '0', '"', '\\', '/', '\n', '\t', '\u{8}', '\u{0}', '\u{1f}', '\u{7f}', 'é', '\u{2028}',
            '\u{ffff}', '😀',
        ];
        (0..self.next(8)).map(|_| LETTERS[self.next(16) as usize]).collect()
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.next(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(self.next(2) == 0),
            2 => Value::Int(self.next(u64::MAX) as i64),
            3 => {
                // Any bit pattern; integers in a float's clothes would come back as integers.
                let number = f64::from_bits(self.next(u64::MAX));
                Value::Float(if number.is_finite() && number.fract() != 0.0 { number } else { 0.5 })
            }
            4 | 5 => Value::String(self.text()),
            6 => Value::Array((0..self.next(5)).map(|_| self.value(depth - 1)).collect()),
            _ => {
                let mut object = Object::new();
                for _ in 0..self.next(24) {
                    object.set(self.text(), self.value(depth - 1));
                }
                object.into()
            }
        }
    }
}

#[test]
fn every_value_comes_back_from_its_text() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..5_000 {
        let value = dice.value(4);
        assert_eq!(parse(&value.to_string()).as_ref(), Ok(&value), "round {}", round);
    }
}

#[test]
fn no_text_makes_it_panic() {
    let mut dice = Dice(42);
    const PIECES: [&str; 24] = [
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u", "d83d", "\\ude00", "é", "😀", "-", "0", "9", ".", "e", "+",
        "true", "nul", " ", "\n", "\u{0}",
    ];
    for _ in 0..50_000 {
        let text: String = (0..dice.next(12)).map(|_| PIECES[dice.next(24) as usize]).collect();
        if let Ok(value) = parse(&text) {
            let written = value.to_string();
            assert_eq!(parse(&written).unwrap().to_string(), written, "{:?}", text);
        }
    }
    // And texts that were right, cut off at each place.
    let whole = dice.value(4).to_string();
    for end in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
        let _ = parse(&whole[..end]);
    }
}
