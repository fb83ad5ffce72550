/*
 * States that are worth reaching: a campaign of seeds that never came upon one has not tested
 * what it seems to, and fails.
 */
#ifndef KITH_TESTS_SIM_SOMETIMES_H
#define KITH_TESTS_SIM_SOMETIMES_H

/* clang-format off */
#define SIM_SOMETIMES_MAP(X)                                                                       \
    X(KILLED_AT_REST,          "a service was killed between two turns")                           \
    X(KILLED_IN_TURN,          "a service was killed in the middle of a turn")                     \
    X(POWER_LOST_AT_REST,      "a machine lost its power between two turns")                       \
    X(POWER_LOST_IN_COMMIT,    "a machine lost its power in the middle of a commit")               \
    X(POWER_LOST_IN_CHECKPOINT, "a machine lost its power in the middle of a checkpoint")          \
    X(BLACKOUT,                "all machines lost their power at once")                            \
    X(BLOCKS_RECOVERED,        "a start evolved blocks that no checkpoint held")                   \
    X(NOTHING_TO_RECOVER,      "a start found its checkpoint to be whole")                         \
    X(STOPPED_AND_STARTED,     "a service was stopped as it should be, and came again")            \
    X(STRUCK_WHILE_RECOVERING, "a service was struck in its first turns after a blow")             \
    X(SYNC_FAILED,             "a sync failed, and a service ended itself")                        \
    X(SYNC_FAILED_AT_START,    "a sync failed, and a service did not start")                       \
    X(SYNC_OF_LINES_FAILED,    "a sync of lines for others failed, and they were written again")   \
    X(DISK_FULL,               "a disk was full for a while")                                      \
    X(JOURNAL_REPLACED,        "a service went on with a copy of its journal")                     \
    X(FEED_LED_ON,             "a feed stood still, and an operator led it on")                    \
    X(LED_ON_IN_TROUBLE,       "a feed was led on while there was trouble")                        \
    X(ACCEPT_REFUSED,          "an operator named a feed that the service does not read")          \
    X(FROZEN,                  "a service stood still, and knew nothing of it")                    \
    X(DURABLE_UNTOLD,          "a block was durable, and nobody had been told when the blow fell") \
    X(TIME_AT_START,           "time alone made facts in the first turns after a start")           \
    X(ENTRY_BY_TIME_AT_START,  "a customer entered by time alone in the first turns after a blow") \
    X(APART,                   "two ports were apart")                                             \
    X(MESSAGE_LOST,            "a message was lost")                                               \
    X(MESSAGE_TWICE,           "a message came twice")                                             \
    X(MESSAGE_LATE,            "a message was overtaken by others")                                \
    X(RETRY_ANSWERED,          "a command was answered after it had been sent again")              \
    X(RETRY_AFTER_BLOW,        "a command was decided, its reply lost by a blow, and told again")  \
    X(ANSWERED_TWICE,          "a command was answered twice, in the same words")                  \
    X(KEY_REUSED,              "a key came with another body and was refused")                     \
    X(RUN_OUT_OF_ORDER,        "a batch of a run came before the one that it follows")             \
    X(EVENT_AGAIN,             "an event came again and was told to be a duplicate")               \
    X(EVENT_OTHER_CONTENT,     "an id came again with other content")                              \
    X(EVENT_FUTURE,            "an event was dated ahead")                                         \
    X(EVENT_LATE,              "an event came later than one that happened after it")              \
    X(QUARANTINE_RETRIED,      "an entry of the quarantine was accepted after all")                \
    X(QUARANTINE_DROPPED,      "an entry of the quarantine was dropped")                           \
    X(SPEND_REFUSED,           "points were asked that the account did not have")                  \
    X(BATCH_REFUSED_WHOLE,     "a batch was refused for one of its postings")                      \
    X(REVERSED,                "a posting was taken back")                                         \
    X(REVERSAL_REFUSED,        "a posting could not be taken back")                                \
    X(EXIT_BY_TIME,            "a customer left a segment by time alone")                          \
    X(ENTRY_BY_TIME,           "a customer entered a segment by time alone")                       \
    X(WALL_BACK,               "the wall clock went back")                                         \
    X(WALL_LEAPT,              "the wall clock leapt ahead")                                       \
    X(SENT_BY_ENTRY,           "a message was sent for an entry into a segment")                   \
    X(SENT_BY_SCHEDULE,        "a message was sent by schedule")                                   \
    X(SENT_BY_COMMAND,         "a message was sent by command")                                    \
    X(CAP_REACHED,             "a message was not sent because the cap was reached")               \
    X(CAP_AT_ONCE,             "a message reached the cap by another of the same instant")         \
    X(NOT_IN_SEGMENT,          "a message was not sent because its customer was not in there")     \
    X(NO_ADDRESS,              "a message was not sent for want of an address")                    \
    X(INTENT_RECOVERED,        "a message stood open when its service started")                    \
    X(DISPATCH_UNKNOWN,        "what became of a message was never known")                         \
    X(CHANNEL_REFUSED,         "a channel refused a message for good")                             \
    X(CHECKPOINT_RUNNING,      "commands were decided while a checkpoint was being made")          \
    X(MANY_IN_ONE_TURN,        "several requests were decided in one turn")                        \
    X(REFUSED_UNTIL_LATER,     "a command was refused for a while and taken later")                \
    X(EVENT_CLOCK,             "a suite ran by the event clock")                                   \
    X(WALL_CLOCK,              "a suite ran by the wall clock")                                    \
    X(SEVERAL_SHARDS,          "consumers had several shards")
/* clang-format on */

enum sim_sometimes {
#define X(name, text) SIM_##name,
    SIM_SOMETIMES_MAP(X)
#undef X
        SIM_SOMETIMES_COUNT
};

const char *sim_sometimes_text(enum sim_sometimes what);

#endif
