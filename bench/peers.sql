-- What Kith does with events and postings, as one would write it for PostgreSQL.
-- bench/peers runs this; :accounts is how many there are, :known how many events.

-- An event: its eight fields, numbered and dated as they come. The same fact is the same source
-- and id, for ever.
create table event (
    seq bigint generated always as identity,
    recorded_at timestamptz not null default now(),
    source text not null,
    id text not null,
    type text not null,
    customer text not null,
    occurred_at_ms bigint not null,
    amount_minor bigint,
    currency text,
    channel text,
    primary key (source, id)
);
insert into event (source, id, type, customer, occurred_at_ms, amount_minor, currency, channel)
select 'bench', 'known.' || lpad(n::text, 12, '0'), 'purchase', 'c' || lpad(n::text, 8, '0'),
       1750000000000 + n, 1999, 'EUR', 'shop'
from generate_series(1, :known) n;

-- The ledger: a posting is two entries, and neither account may go below zero.
create table account (
    id bigint primary key,
    balance bigint not null check (balance >= 0)
);
create table posting (
    key text primary key,
    posted_at timestamptz not null default now()
);
create table entry (
    key text not null,
    account bigint not null,
    points bigint not null
);
insert into account select n, 1000000 from generate_series(0, :accounts - 1) n;

-- One posting. False: it was there already.
create function post(new_key text, debit bigint, credit bigint, points bigint) returns boolean
language plpgsql as $$
begin
    insert into posting (key) values (new_key) on conflict do nothing;
    if not found then
        return false;
    end if;
    -- The lower number first, so that no two wait for each other.
    if debit < credit then
        update account set balance = balance - points where id = debit;
        update account set balance = balance + points where id = credit;
    else
        update account set balance = balance + points where id = credit;
        update account set balance = balance - points where id = debit;
    end if;
    insert into entry values (new_key, debit, -points), (new_key, credit, points);
    return true;
end
$$;

-- Many, as a set. Returns how many were new.
create function post_many(keys text[], debits bigint[], credits bigint[], points bigint[])
returns bigint language plpgsql as $$
declare
    entries bigint;
begin
    perform from account where id = any (debits || credits) order by id for update;
    with asked as (
        select * from unnest(keys, debits, credits, points) as a (key, debit, credit, points)
    ), fresh as (
        insert into posting (key) select key from asked on conflict do nothing returning key
    ), moved as (
        select key, debit as account, -asked.points as points from asked join fresh using (key)
        union all
        select key, credit, asked.points from asked join fresh using (key)
    ), entered as (
        insert into entry select key, account, moved.points from moved returning 1
    ), changed as (
        update account set balance = balance + summed.points
        from (select account, sum(moved.points) as points from moved group by account) summed
        where account.id = summed.account
    )
    select count(*) into entries from entered;
    return entries / 2;
end
$$;
