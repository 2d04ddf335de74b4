//! The calls on a [`Table`](super::Table) that are one step of its cursor each: they let a call in, ask whether the table
//! allows it now, and hand it to the cursor.

mod bookmarks;
mod changes;
mod locks;
mod moves;
mod order;
mod reads;
