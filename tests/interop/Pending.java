import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The official client as one that leaves messages at a broker which are not delivered yet. Each has its key as its body, and
 * in the property `due` the time from which on it may be seen. Commands come on the standard input; each is answered by
 * its first word when it is done, by `failed` and a reason when it can't be:
 *
 * <pre>
 * java Pending NAMESRV BROKER
 *     leveled TOPIC RUN COUNT WAIT,WAIT    delay levels 1, 2 ... in turn, which wait for so many milliseconds
 *     timed TOPIC RUN COUNT MIN MAX        times, spread over so many milliseconds from now
 *     half TOPIC RUN COUNT                 half messages; of each five the first is committed, the second rolled back, and
 *                                          brokers are told of the third to commit it, of the fourth to roll it back, when
 *                                          they ask; the fifth is committed by `end`
 *     end                                  see above
 *     back TOPIC GROUP RUN COUNT LEVEL     sends, consumes, and gives back with a delay level
 * </pre>
 */
public final class Pending {
    private static final int PATIENCE_MILLIS = 30_000;
    private static final int ROUTE_MILLIS = 500;
    private static final int KINDS = 5;
    private static final int COMMITTED = 0;
    private static final int ROLLED_BACK = 1;
    private static final int LATER_COMMITTED = 2;
    private static final int ENDED = 4;

    private final String nameServers;
    private final String broker;
    private final TransactionMQProducer producer = new TransactionMQProducer("pending-producers");
    private final CountDownLatch end = new CountDownLatch(1);
    private final List<Thread> ending = new ArrayList<>();
    private long consumed;

    private Pending(String nameServers, String broker) {
        this.nameServers = nameServers;
        this.broker = broker;
    }

    public static void main(String[] arguments) throws Exception {
        Pending pending = new Pending(arguments[0], arguments[1]);
        pending.start();
        System.out.println("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            try {
                pending.run(words);
                System.out.println(words[0]);
            } catch (Exception error) {
                System.out.println("failed " + words[0] + ": " + error.toString().replace('\n', ' '));
            }
        }
        System.exit(0);
    }

    private void start() throws Exception {
        producer.setNamesrvAddr(nameServers);
        producer.setSendMsgTimeout(PATIENCE_MILLIS);
        producer.setMqClientApiTimeout(PATIENCE_MILLIS);
        producer.setPollNameServerInterval(ROUTE_MILLIS);
        producer.setHeartbeatBrokerInterval(ROUTE_MILLIS);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object kind) {
                switch ((int) kind) {
                    case COMMITTED:
                        return LocalTransactionState.COMMIT_MESSAGE;
                    case ROLLED_BACK:
                        return LocalTransactionState.ROLLBACK_MESSAGE;
                    case ENDED:
                        awaitEnd();
                        return LocalTransactionState.COMMIT_MESSAGE;
                    default:
                        return LocalTransactionState.UNKNOW;
                }
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                switch (Integer.parseInt(message.getUserProperty("kind"))) {
                    case LATER_COMMITTED:
                        return LocalTransactionState.COMMIT_MESSAGE;
                    case ENDED:
                        return LocalTransactionState.UNKNOW;
                    default:
                        return LocalTransactionState.ROLLBACK_MESSAGE;
                }
            }
        });
        producer.start();
    }

    private void run(String[] words) throws Exception {
        switch (words[0]) {
            case "leveled":
                leveled(words[1], words[2], Integer.parseInt(words[3]), words[4].split(","));
                break;
            case "timed":
                timed(words[1], words[2], Integer.parseInt(words[3]), Long.parseLong(words[4]), Long.parseLong(words[5]));
                break;
            case "half":
                half(words[1], words[2], Integer.parseInt(words[3]));
                break;
            case "end":
                end.countDown();
                for (Thread thread : ending) {
                    thread.join();
                }
                break;
            case "back":
                back(words[1], words[2], words[3], Integer.parseInt(words[4]), Integer.parseInt(words[5]));
                break;
            default:
                throw new IllegalArgumentException("there is no such command");
        }
    }

    private void leveled(String topic, String run, int count, String[] waits) throws Exception {
        for (int number = 0; number < count; number++) {
            int level = 1 + number % waits.length;
            Message message = message(topic, run + "-leveled-" + number, Long.parseLong(waits[level - 1]));
            message.setDelayTimeLevel(level);
            check(producer.send(message));
        }
    }

    private void timed(String topic, String run, int count, long min, long max) throws Exception {
        long now = System.currentTimeMillis();
        for (int number = 0; number < count; number++) {
            long due = now + min + (max - min) * number / count;
            long wait = due - System.currentTimeMillis();
            Message message = message(topic, run + "-timed-" + number, wait);
            switch (number % 3) {
                case 0:
                    message.setDeliverTimeMs(Long.parseLong(message.getUserProperty("due")));
                    break;
                case 1:
                    message.setDelayTimeMs(wait);
                    break;
                default:
                    message.putUserProperty("due", "" + (System.currentTimeMillis() + wait / 1000 * 1000));
                    message.setDelayTimeSec(wait / 1000);
            }
            check(producer.send(message));
        }
    }

    private void half(String topic, String run, int count) throws Exception {
        for (int number = 0; number < count; number++) {
            int kind = number % KINDS;
            Message message = message(topic, run + "-half-" + number, 0);
            message.putUserProperty("kind", "" + kind);
            if (kind != ENDED) {
                check(producer.sendMessageInTransaction(message, kind));
                continue;
            }
            Thread thread = new Thread(() -> {
                try {
                    check(producer.sendMessageInTransaction(message, kind));
                } catch (Exception error) {
                    error.printStackTrace();
                }
            });
            thread.start();
            ending.add(thread);
        }
    }

    private void awaitEnd() {
        try {
            end.await();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private void back(String topic, String group, String run, int count, int level) throws Exception {
        for (int number = 0; number < count; number++) {
            check(producer.send(message(topic, run + "-back-" + number, 0), queue(topic)));
        }
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        consumer.setNamesrvAddr(nameServers);
        consumer.setMqClientApiTimeout(PATIENCE_MILLIS);
        consumer.start();
        int given = 0;
        while (given < count) {
            PullResult result = consumer.pullBlockIfNotFound(queue(topic), "*", consumed, 32);
            if (result.getPullStatus() == PullStatus.FOUND) {
                for (MessageExt message : result.getMsgFoundList()) {
                    consumer.sendMessageBack(message, level, broker, group);
                    given++;
                }
            }
            consumed = result.getNextBeginOffset();
        }
        consumer.shutdown();
    }

    private MessageQueue queue(String topic) {
        return new MessageQueue(topic, broker, 0);
    }

    private static Message message(String topic, String key, long waitMillis) {
        Message message = new Message(topic, "Tag", key, key.getBytes(StandardCharsets.UTF_8));
        message.putUserProperty("due", "" + (System.currentTimeMillis() + waitMillis));
        return message;
    }

    private static void check(SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            throw new IllegalStateException(result.toString());
        }
    }
}
