//! Text to value. Recursive, because the depth is limited; never panics, whatever the text.

use super::{JsonError, Object, Value};
use std::collections::HashMap;

/// What a text may be. The host has checked sizes before a plugin sees anything; for files and answers of others.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Arrays and objects in each other.
    pub depth: usize,
    /// Bytes of the text.
    pub bytes: usize,
}

impl Default for Limits {
    /// 512 levels, as every reader of the protocol; 64 MiB, the most that a NATS message can have.
    fn default() -> Self {
        Self { depth: 512, bytes: 64 << 20 }
    }
}

pub fn parse(text: &str) -> Result<Value, JsonError> {
    parse_with(text, Limits::default())
}

pub fn parse_with(text: &str, limits: Limits) -> Result<Value, JsonError> {
    if text.len() > limits.bytes {
        return Err(JsonError::new(format!("the text has more than {} bytes", limits.bytes)));
    }
    let mut parser = Parser { text, at: 0, depth_left: limits.depth };
    parser.blanks();
    let value = parser.value()?;
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.wrong("the end of the text"));
    }
    Ok(value)
}

/// From here on an object's members are found through an index, so that a hostile text costs no square of its size.
const INDEXED_MEMBERS: usize = 16;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
}

impl Parser<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, expected: &str) -> JsonError {
        JsonError::new(format!("not a JSON text: expected {} at byte {}", expected, self.at))
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip(&mut self, wanted: u8) -> bool {
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        match self.byte() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wrong("a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, JsonError>) -> Result<Value, JsonError> {
        if self.depth_left == 0 {
            return Err(JsonError::new("the text has too many nested arrays and objects"));
        }
        self.depth_left -= 1;
        self.at += 1;
        self.blanks();
        let value = read(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        if self.skip(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.skip(b']') {
                return Ok(Value::Array(items));
            }
            if !self.skip(b',') {
                return Err(self.wrong("',' or ']'"));
            }
            self.blanks();
        }
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        if self.skip(b'}') {
            return Ok(Value::Object(Object(members)));
        }
        loop {
            let (name, value) = self.member()?;
            put(&mut members, &mut index, name, value);
            self.blanks();
            if self.skip(b'}') {
                return Ok(Value::Object(Object(members)));
            }
            if !self.skip(b',') {
                return Err(self.wrong("',' or '}'"));
            }
            self.blanks();
        }
    }

    fn member(&mut self) -> Result<(String, Value), JsonError> {
        let name = self.string()?;
        self.blanks();
        if !self.skip(b':') {
            return Err(self.wrong("':'"));
        }
        self.blanks();
        Ok((name, self.value()?))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        if !self.skip(b'"') {
            return Err(self.wrong("a string"));
        }
        let mut out = String::new();
        loop {
            let start = self.at;
            while matches!(self.byte(), Some(c) if c != b'"' && c != b'\\' && c >= 0x20) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]); // both ends are before or after an ASCII byte
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escaped()?);
                }
                _ => return Err(self.wrong("the end of a string")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, JsonError> {
        let character = match self.byte() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong("an escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// What follows `\u`, with the second half of a pair.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.unit().ok_or_else(|| self.wrong("four hexadecimal digits"))?;
        self.at += 4;
        if (0xD800..0xDC00).contains(&first) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.unit().ok_or_else(|| self.wrong("four hexadecimal digits"))?;
            if (0xDC00..0xE000).contains(&second) {
                self.at += 4;
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at -= 2; // stays: it is a character of its own
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.skip(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            is_integer = false;
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if is_integer && text != "-0" {
            if let Ok(number) = text.parse() {
                return Ok(Value::Int(number));
            }
        }
        text.parse().map(Value::Float).map_err(|_| self.wrong("a number"))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(self.wrong("a digit"))
        }
    }
}

/// Adds a member, or replaces the value of the one that has its name.
fn put(members: &mut Vec<(String, Value)>, index: &mut HashMap<String, usize>, name: String, value: Value) {
    if members.len() == INDEXED_MEMBERS && index.is_empty() {
        index.extend(members.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)));
    }
    let known =
        if index.is_empty() { members.iter().position(|(key, _)| *key == name) } else { index.get(&name).copied() };
    match known {
        Some(at) => members[at].1 = value,
        None => {
            if !index.is_empty() {
                index.insert(name.clone(), members.len());
            }
            members.push((name, value));
        }
    }
}
