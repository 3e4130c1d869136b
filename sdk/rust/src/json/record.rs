//! Structs in JSON, without a derive macro, which would need a crate of its own and a parser for Rust in it.

/// A struct whose members are those of a JSON object:
///
/// ```
/// trellis_plugin::record! {
///     /// What is on a shelf.
///     #[derive(Clone, Debug, PartialEq)]
///     pub struct Stock {
///         pub sku: String,
///         pub in_stock as "inStock": i64, // when the JSON has another name
///         pub label: Option<String>,      // may be absent, and is left out when it is None
///     }
/// }
/// let stock: Stock = trellis_plugin::json::from_str(r#"{"sku": "bolt", "inStock": 3}"#).unwrap();
/// assert_eq!(trellis_plugin::json::to_string(&stock), r#"{"sku":"bolt","inStock":3}"#);
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$member_attribute:meta])* $member_visibility:vis $member:ident $(as $json:literal)? : $type:ty),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$member_attribute])* $member_visibility $member: $type),*
        }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &$crate::json::Value) -> ::std::result::Result<Self, $crate::json::JsonError> {
                if !::std::matches!(value, $crate::json::Value::Object(_)) {
                    let message = ::std::format!("expected an object, found {}", value.kind());
                    return ::std::result::Result::Err($crate::json::JsonError::new(message));
                }
                ::std::result::Result::Ok(Self {
                    $($member: $crate::json_member(value, $crate::record!(@name $member $(as $json)?))?),*
                })
            }
        }

        impl $crate::json::ToJson for $name {
            fn to_json(&self) -> $crate::json::Value {
                #[allow(unused_mut)]
                let mut object = $crate::json::Object::new();
                $(if !$crate::json::ToJson::is_absent(&self.$member) {
                    object.set($crate::record!(@name $member $(as $json)?), &self.$member);
                })*
                $crate::json::Value::Object(object)
            }
        }
    };
    (@name $member:ident) => { ::std::stringify!($member) };
    (@name $member:ident as $json:literal) => { $json };
}
