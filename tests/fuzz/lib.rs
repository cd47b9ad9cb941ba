//! The decoders and their properties, as the fuzz targets and the property tests share them.

#[path = "../decoders/mod.rs"]
pub mod decoders;
