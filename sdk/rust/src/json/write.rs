//! Value to text, as the protocol writes it: no blanks, numbers as ECMAScript prints them.

use super::Value;
use std::fmt::Write;

pub(super) fn append(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(number) => {
            let _ = write!(out, "{}", number);
        }
        Value::Float(number) => append_float(out, *number),
        Value::String(text) => append_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                append(out, item);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (at, (name, member)) in object.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                append_string(out, name);
                out.push(':');
                append(out, member);
            }
            out.push('}');
        }
    }
}

fn append_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The shortest digits that read back the same: plain from 1e-6 to 1e21, with an exponent beyond.
fn append_float(out: &mut String, number: f64) {
    if !number.is_finite() {
        return out.push_str("null");
    }
    if number == 0.0 {
        return out.push('0');
    }
    let scientific = format!("{:e}", number.abs()); // d.ddde-7
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1; // the value is 0.digits * 10^point
    let count = digits.len() as i32;
    if number < 0.0 {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(count.max(0) as usize);
    if count <= point && point <= 21 {
        let _ = write!(out, "{}{}", digits, zeros(point - count));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(point as usize);
        let _ = write!(out, "{}.{}", whole, fraction);
    } else if -6 < point && point <= 0 {
        let _ = write!(out, "0.{}{}", zeros(-point), digits);
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if point > 0 { "+" } else { "-" };
        let _ = write!(out, "{}{}{}e{}{}", first, dot, rest, sign, (point - 1).abs());
    }
}
