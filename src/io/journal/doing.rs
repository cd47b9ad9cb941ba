//! What was to be done with a file when it failed, in both languages.

use crate::order::said::words;

/// A step; read behind "cannot".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Is it there, and what is it?
    LookAt,
    /// Make a directory.
    Make,
    /// Open a file.
    Open,
    /// sled opens its folder.
    OpenJournal,
    /// Read a file or a folder.
    Read,
    /// Write a file.
    Write,
    /// Have it reach the disk.
    Sync,
    /// Take the lock.
    Lock,
    /// Delete a file or a folder.
    Delete,
    /// Give it its name.
    Rename,
    /// A new journal gets its sled.
    MakeSled,
    /// Close sled's folder.
    Close,
    /// Move it away, so that it is kept.
    SetAside,
    /// A commit after the journal was closed.
    Commit,
    /// What stands under a key.
    ReadJournal,
    /// A commit, into the lead or to sled.
    WriteJournal,
    /// A commit, onto the disk.
    SyncJournal,
    /// Is it still the file that was opened?
    LookAtJournalsFile,
    /// See [`super::Damage::BlobFile`].
    LookForBlobFiles,
    /// The second file learns of the newest commit.
    WriteSecondFile,
}

words! {
    Doing {
        Doing::LookAt => "look at", "查看";
        Doing::Make => "make", "创建";
        Doing::Open => "open", "打开";
        Doing::OpenJournal => "open the journal", "打开日志";
        Doing::Read => "read", "读取";
        Doing::Write => "write", "写入";
        Doing::Sync => "sync", "同步";
        Doing::Lock => "lock", "锁定";
        Doing::Delete => "delete", "删除";
        Doing::Rename => "rename", "改名";
        Doing::MakeSled => "make the journal's database", "创建日志数据库";
        Doing::Close => "close", "关闭";
        Doing::SetAside => "set aside", "移存";
        Doing::Commit => "commit", "提交";
        Doing::ReadJournal => "read the journal", "读取日志";
        Doing::WriteJournal => "write the journal", "写入日志";
        Doing::SyncJournal => "sync the journal", "同步日志";
        Doing::LookAtJournalsFile => "look at the journal's file", "查看日志文件";
        Doing::LookForBlobFiles => "look for blob files", "查找 blob 文件";
        Doing::WriteSecondFile => "write the second file", "写入第二文件";
    }
}

/// What of an entry is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its key.
    Key,
    /// Its value.
    Value,
}

words! {
    Part {
        Part::Key => "key", "键";
        Part::Value => "value", "值";
    }
}
