//! sled behind one small type.
