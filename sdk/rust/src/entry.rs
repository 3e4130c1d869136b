//! What makes a shared object a plugin: a section with the contract, and one exported symbol.

use crate::ffi::trellis_str;

/// The bytes of a text as an array, which is what a section holds.
pub const fn bytes<const SIZE: usize>(text: &str) -> [u8; SIZE] {
    let from = text.as_bytes();
    let mut out = [0; SIZE];
    let mut at = 0;
    while at < SIZE {
        out[at] = from[at];
        at += 1;
    }
    out
}

pub const fn text(text: &'static str) -> trellis_str {
    trellis_str { data: text.as_ptr().cast(), size: text.len() }
}

/// Puts the contract into the file, where the host reads it without running any code:
/// `contract!(include_str!("../contract.json"));` Once, anywhere in the crate.
///
/// Exported, because older compilers and linkers drop a section that nothing refers to, `#[used]` or not. Two contracts
/// in one plugin don't link.
#[macro_export]
macro_rules! contract {
    ($text:expr) => {
        const TRELLIS_CONTRACT_TEXT: &str = $text;
        #[used]
        #[no_mangle]
        #[allow(non_upper_case_globals)]
        #[link_section = ".trellis.contract"]
        pub static trellis_contract_section: [u8; TRELLIS_CONTRACT_TEXT.len()] =
            $crate::macros::bytes(TRELLIS_CONTRACT_TEXT);
    };
}

/// Puts a JSON Schema for the plugin's settings into the file, so that the host checks them.
#[macro_export]
macro_rules! config_schema {
    ($text:expr) => {
        const TRELLIS_CONFIG_SCHEMA_TEXT: &str = $text;
        #[used]
        #[no_mangle]
        #[allow(non_upper_case_globals)]
        #[link_section = ".trellis.config-schema"]
        pub static trellis_config_schema_section: [u8; TRELLIS_CONFIG_SCHEMA_TEXT.len()] =
            $crate::macros::bytes(TRELLIS_CONFIG_SCHEMA_TEXT);
    };
}

/// Exports the plugin: its program's name and version, and `fn(&mut Service) -> Result<(), Fault>`, which registers the
/// handlers. Once in the crate.
#[macro_export]
macro_rules! plugin {
    ($name:expr, $version:expr, $setup:path) => {
        unsafe extern "C" fn trellis_create(
            host: *const $crate::ffi::trellis_host,
            out: *mut *const $crate::ffi::trellis_plugin,
            error: $crate::ffi::trellis_error_sink,
        ) -> $crate::ffi::trellis_status {
            $crate::macros::create(host, out, error, $setup)
        }

        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static trellis_plugin_entry_v1: $crate::ffi::trellis_plugin_entry = $crate::ffi::trellis_plugin_entry {
            size: ::std::mem::size_of::<$crate::ffi::trellis_plugin_entry>() as u32,
            abi_major: $crate::ffi::TRELLIS_ABI_MAJOR,
            abi_minor: $crate::ffi::TRELLIS_ABI_MINOR,
            reserved: 0,
            name: $crate::macros::text($name),
            version: $crate::macros::text($version),
            create: trellis_create,
        };
    };
}
