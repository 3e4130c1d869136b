//! Values to types and back. Reading is forgiving about what a schema has checked: unknown members are ignored.

use super::{JsonError, Object, Value};
use std::collections::{BTreeMap, HashMap};

/// A type that can be read from JSON. For structs see [`crate::record!`].
pub trait FromJson: Sized {
    fn from_json(value: &Value) -> Result<Self, JsonError>;

    /// What stands for a member that isn't there; only `Option` has something.
    fn from_absence() -> Option<Self> {
        None
    }
}

/// A type that can be written as JSON.
pub trait ToJson {
    fn to_json(&self) -> Value;

    /// A member that is left out; only an empty `Option`.
    fn is_absent(&self) -> bool {
        false
    }
}

fn mismatch<T>(expected: &str, value: &Value) -> Result<T, JsonError> {
    Err(JsonError::new(format!("expected {}, found {}", expected, value.kind())))
}

impl FromJson for Value {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        Ok(value.clone())
    }
}

impl ToJson for Value {
    fn to_json(&self) -> Value {
        self.clone()
    }
}

impl ToJson for Object {
    fn to_json(&self) -> Value {
        Value::Object(self.clone())
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }

    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }
}

/// Any object, for an rpc whose schema holds nothing that the handler needs; written as `{}`.
impl FromJson for () {
    fn from_json(_: &Value) -> Result<Self, JsonError> {
        Ok(())
    }
}

impl ToJson for () {
    fn to_json(&self) -> Value {
        Value::Object(Object::new())
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            _ => mismatch("a boolean", value),
        }
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
}

impl FromJson for f64 {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        value.as_f64().map_or_else(|| mismatch("a number", value), Ok)
    }
}

impl ToJson for f64 {
    fn to_json(&self) -> Value {
        Value::Float(*self)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, JsonError> {
                let fitting = value.as_i64().and_then(|number| <$type>::try_from(number).ok());
                fitting.map_or_else(|| mismatch(concat!("an integer (", stringify!($type), ")"), value), Ok)
            }
        }

        impl ToJson for $type {
            fn to_json(&self) -> Value {
                i64::try_from(*self).map_or(Value::Float(*self as f64), Value::Int)
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        value.as_str().map_or_else(|| mismatch("a string", value), |text| Ok(text.to_owned()))
    }
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }
}

impl ToJson for str {
    fn to_json(&self) -> Value {
        Value::String(self.to_owned())
    }
}

/// Absent or null is `None`.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        match value {
            Value::Null => Ok(None),
            _ => T::from_json(value).map(Some),
        }
    }

    fn from_absence() -> Option<Self> {
        Some(None)
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToJson::to_json)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, JsonError> {
        let items = match value {
            Value::Array(items) => items,
            _ => return mismatch("an array", value),
        };
        let read = |(at, item)| T::from_json(item).map_err(|problem| problem.under(&format!("{}", at)));
        items.iter().enumerate().map(read).collect()
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        self.as_slice().to_json()
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(ToJson::to_json).collect())
    }
}

macro_rules! maps {
    ($($map:ident),*) => {$(
        impl<T: FromJson> FromJson for $map<String, T> {
            fn from_json(value: &Value) -> Result<Self, JsonError> {
                let object = match value {
                    Value::Object(object) => object,
                    _ => return mismatch("an object", value),
                };
                let read = |(name, member): (&str, &Value)| {
                    let value = T::from_json(member).map_err(|problem| problem.under(name))?;
                    Ok((name.to_owned(), value))
                };
                object.iter().map(read).collect()
            }
        }

        impl<T: ToJson> ToJson for $map<String, T> {
            fn to_json(&self) -> Value {
                Value::Object(Object(self.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()))
            }
        }
    )*};
}
maps!(BTreeMap, HashMap);
