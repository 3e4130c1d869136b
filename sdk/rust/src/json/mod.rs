//! JSON, as much of it as a plugin needs: a value, a parser with limits, a writer, and typed conversion.
//!
//! Of its own because the crate has no dependencies. Numbers are what the protocol has, IEEE-754 doubles; integers that
//! fit are kept as `i64`, so that a counter doesn't lose its last digits on the way through. A member that is repeated
//! has its last value. An unpaired surrogate, which a Rust string can't hold, is read as U+FFFD; a handler that has to
//! hand a text on unchanged takes the JSON text itself ([`crate::Call::input`]).

mod convert;
mod parse;
mod record;
mod write;

pub use convert::{FromJson, ToJson};
pub use parse::{parse, parse_with, Limits};

use std::fmt;

/// A JSON value. Members of an object keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// An integer that was written as one and fits.
    Int(i64),
    /// Every other number. What isn't finite is written as `null`.
    Float(f64),
    String(String),
    Array(Vec<Value>),
    Object(Object),
}

impl Value {
    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(object) => object.get(name),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A number without a fraction that fits, however it was written: `3`, `3.0`, `3e0`.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Int(number) => Some(number),
            // 2^63 is the first float beyond; the cast below it is exact.
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0 => {
                Some(number as i64)
            }
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Compact JSON text.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write::append(&mut text, self);
        out.write_str(&text)
    }
}

/// The members of an object, in the order in which they were put there.
///
/// A list, not a map: objects of messages are small, and their order is the producer's. Parsing keeps it linear by an
/// index of its own for large ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Adds the member or replaces its value.
    pub fn set(&mut self, name: impl Into<String>, value: impl ToJson) -> &mut Self {
        let name = name.into();
        let value = value.to_json();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Value::Object(object)
    }
}

/// Why a text is no JSON, or a value not of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// JSON pointer of the offending place; empty for the whole value, or when the text isn't JSON at all.
    pub pointer: String,
    pub message: String,
}

impl JsonError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { pointer: String::new(), message: message.into() }
    }

    /// The same, one level further down.
    pub fn under(mut self, name: &str) -> Self {
        self.pointer.insert_str(0, &format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            out.write_str(&self.message)
        } else {
            write!(out, "{}: {}", self.pointer, self.message)
        }
    }
}

impl std::error::Error for JsonError {}

/// The value that a JSON text holds, as a type.
pub fn from_str<T: FromJson>(text: &str) -> Result<T, JsonError> {
    T::from_json(&parse(text)?)
}

/// A value as compact JSON text.
pub fn to_string<T: ToJson + ?Sized>(value: &T) -> String {
    value.to_json().to_string()
}
