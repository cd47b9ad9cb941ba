//! The rules of an order's life, one test each by name, on the whole core with a scripted board and a model journal.

mod books;
mod calls;
mod catalogue;
mod channel_test;
mod edges;
mod faults;
mod found;
mod instructions;
mod limits;
mod mark;
mod matrix;
mod missed;
mod notify;
mod payments;
mod persons;
mod pickup;
mod review;
mod rules;
mod sale;
mod security;
mod service;
mod slot_test;
mod slots;
mod sync;
mod telemetry;
mod world;
