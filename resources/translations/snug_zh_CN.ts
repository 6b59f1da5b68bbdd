<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en_US">
<context>
    <name>AnswerCard</name>
    <message>
        <source>Best for this machine</source>
        <translation>最适合这台电脑</translation>
    </message>
    <message>
        <source>Looking at this machine …</source>
        <translation>正在查看这台电脑 …</translation>
    </message>
    <message>
        <source>{size} memory, exact</source>
        <translation>内存 {size}（精确）</translation>
    </message>
    <message>
        <source>{size} memory (estimate)</source>
        <translation>内存 {size}（估计）</translation>
    </message>
    <message>
        <source>about {low}–{high} tok/s (estimate)</source>
        <translation>约 {low}–{high} tok/s（估计）</translation>
    </message>
    <message>
        <source>about {low}–{high} tok/s</source>
        <translation>约 {low}–{high} tok/s</translation>
    </message>
    <message>
        <source>quality: {word}</source>
        <translation>质量：{word}</translation>
    </message>
    <message>
        <source>{quantization} says how strongly the model is compressed.</source>
        <translation>{quantization} 表示模型压缩的程度。</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Download and chat</source>
        <translation>下载并对话</translation>
    </message>
    <message>
        <source>Downloading …</source>
        <translation>正在下载 …</translation>
    </message>
    <message>
        <source>Shows how far it is.</source>
        <translation>显示下载进度。</translation>
    </message>
    <message>
        <source>Less</source>
        <translation>收起</translation>
    </message>
    <message>
        <source>Why, and what would change it</source>
        <translation>为什么，以及什么会改变它</translation>
    </message>
</context>
<context>
    <name>ChatController</name>
    <message>
        <source>“{title}” was deleted.</source>
        <translation>“{title}”已删除。</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Reading {tokens} tokens: {percent} %</source>
        <translation>正在读取 {tokens} 个 token：{percent} %</translation>
    </message>
    <message>
        <source>{used} of {total} context · next reply up to {next}</source>
        <translation>上下文已用 {used} / {total} · 下一条回复最多 {next}</translation>
    </message>
</context>
<context>
    <name>ChatHeader</name>
    <message>
        <source>Show or hide the chats</source>
        <translation>显示或隐藏对话列表</translation>
    </message>
    <message>
        <source>Rename or delete this chat</source>
        <translation>重命名或删除此对话</translation>
    </message>
    <message>
        <source>Show or hide the panel with the sliders</source>
        <translation>显示或隐藏参数面板</translation>
    </message>
    <message>
        <source>Find more models …</source>
        <translation>查找更多模型 …</translation>
    </message>
    <message>
        <source>Rename …</source>
        <translation>重命名 …</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
</context>
<context>
    <name>ChatMemory</name>
    <message>
        <source>Main memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>predicted {predicted}, used {used}</source>
        <translation>预计 {predicted}，实际 {used}</translation>
    </message>
    <message>
        <source>as predicted</source>
        <translation>与预计相符</translation>
    </message>
    <message>
        <source>less than predicted</source>
        <translation>低于预计</translation>
    </message>
    <message>
        <source>more than predicted</source>
        <translation>高于预计</translation>
    </message>
    <message>
        <source>{device}: predicted {predicted}, used {used}</source>
        <translation>{device}：预计 {predicted}，实际 {used}</translation>
    </message>
    <message>
        <source>Predicted by the engine itself, before loading.</source>
        <translation>由引擎自己在加载之前算出。</translation>
    </message>
    <message>
        <source>Predicted by arithmetic: an estimate.</source>
        <translation>按公式推算：估计值。</translation>
    </message>
    <message>
        <source>{used} of {total}</source>
        <translation>{used} / {total}</translation>
    </message>
</context>
<context>
    <name>ChatView</name>
    <message>
        <source>What is on your mind?</source>
        <translation>想聊点什么？</translation>
    </message>
    <message>
        <source>Write below. Everything that is said here stays on this machine.</source>
        <translation>在下面输入。这里说的一切都只留在这台电脑上。</translation>
    </message>
    <message>
        <source>Rename chat</source>
        <translation>重命名对话</translation>
    </message>
    <message>
        <source>Title</source>
        <translation>标题</translation>
    </message>
</context>
<context>
    <name>ChatWords</name>
    <message>
        <source>first word {seconds} s · {tokens} tokens</source>
        <translation>首字 {seconds} 秒 · {tokens} 个 token</translation>
    </message>
    <message>
        <source>first word {seconds} s · 1 token</source>
        <translation>首字 {seconds} 秒 · 1 个 token</translation>
    </message>
    <message>
        <source>{accepted} of {drafted} guesses right</source>
        <translation>猜中 {accepted}/{drafted}</translation>
    </message>
    <message>
        <source>{drafted} tokens were guessed ahead (speculative decoding), and the model agreed with {accepted} of them. Guesses change how fast the reply comes, not how the model chooses.</source>
        <translation>提前猜测了 {drafted} 个 token（推测解码），模型认可了其中 {accepted} 个。猜测只影响回复的速度，不影响模型的选择方式。</translation>
    </message>
    <message>
        <source>first word {seconds} s</source>
        <translation>首字 {seconds} 秒</translation>
    </message>
    <message>
        <source>{speed} tok/s</source>
        <translation>{speed} tok/s</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>The words that were already said are kept.</source>
        <translation>已经生成的内容已保留。</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Max length reached</source>
        <translation>已达到最大长度</translation>
    </message>
</context>
<context>
    <name>CheckRow</name>
    <message>
        <source>Wanted: {what}</source>
        <translation>期望：{what}</translation>
    </message>
    <message>
        <source>Good</source>
        <translation>良好</translation>
    </message>
    <message>
        <source>Hint</source>
        <translation>提示</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>问题</translation>
    </message>
    <message>
        <source>Not judged</source>
        <translation>未判断</translation>
    </message>
</context>
<context>
    <name>ChoiceTable</name>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Quantization</source>
        <translation>量化</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>tok/s</source>
        <translation>tok/s</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>质量</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>结论</translation>
    </message>
    <message>
        <source>How strongly the model is compressed. The figure in it is about the bits for each weight: fewer make the model smaller and faster, and lose some quality.</source>
        <translation>模型压缩的程度。其中的数字大约是每个权重的位数：位数越少，模型越小越快，质量也会损失一些。</translation>
    </message>
    <message>
        <source>How large its file is.</source>
        <translation>文件的大小。</translation>
    </message>
    <message>
        <source>What it takes while it is loaded, with a conversation as long as the context.</source>
        <translation>载入后、对话达到所选上下文长度时占用的内存。</translation>
    </message>
    <message>
        <source>How fast it writes: tokens per second. A token is about three quarters of a word.</source>
        <translation>书写的速度：每秒 token 数。一个 token 大约是四分之三个英文单词。</translation>
    </message>
    <message>
        <source>What the compression has left of the model&apos;s quality.</source>
        <translation>压缩之后模型质量还剩多少。</translation>
    </message>
    <message>
        <source>Whether it can be used on this machine.</source>
        <translation>在这台机器上能否使用。</translation>
    </message>
    <message>
        <source>lossless</source>
        <translation>无损</translation>
    </message>
    <message>
        <source>near-lossless</source>
        <translation>近乎无损</translation>
    </message>
    <message>
        <source>good</source>
        <translation>良好</translation>
    </message>
    <message>
        <source>acceptable</source>
        <translation>可接受</translation>
    </message>
    <message>
        <source>poor</source>
        <translation>较差</translation>
    </message>
    <message>
        <source>File</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Loss by compression: {kld}, the mean KL divergence to the uncompressed model (f16).</source>
        <translation>压缩造成的损失：{kld}，即相对未压缩模型（f16）的平均 KL 散度。</translation>
    </message>
    <message>
        <source>By this machine&apos;s own measurements: {low} to {high} tokens per second</source>
        <translation>按这台机器的实测：每秒 {low} 到 {high} 个 token</translation>
    </message>
    <message>
        <source>Estimate: {low} to {high} tokens per second</source>
        <translation>估计：每秒 {low} 到 {high} 个 token</translation>
    </message>
    <message>
        <source>Downloading: {share}</source>
        <translation>正在下载：{share}</translation>
    </message>
    <message>
        <source>Cannot run here</source>
        <translation>无法在此运行</translation>
    </message>
    <message>
        <source>Start a chat</source>
        <translation>开始对话</translation>
    </message>
    <message>
        <source>Download and chat</source>
        <translation>下载并对话</translation>
    </message>
    <message>
        <source>exact</source>
        <translation>精确</translation>
    </message>
    <message>
        <source>estimate</source>
        <translation>估计</translation>
    </message>
    <message>
        <source>Exact: the engine itself was asked what this file needs here.</source>
        <translation>精确：已让引擎自己算出这个文件在这里需要多少。</translation>
    </message>
    <message>
        <source>An estimate, until the engine was asked about this file.</source>
        <translation>估计值，直到向引擎问过这个文件。</translation>
    </message>
    <message>
        <source>{size} GB</source>
        <translation>{size} GB</translation>
    </message>
    <message>
        <source>{size} GiB</source>
        <translation>{size} GiB</translation>
    </message>
</context>
<context>
    <name>ChoiceTile</name>
    <message>
        <source>{memory} exact · {low}–{high} tok/s</source>
        <translation>{memory} 精确 · {low}–{high} tok/s</translation>
    </message>
    <message>
        <source>about {memory} · {low}–{high} tok/s</source>
        <translation>约 {memory} · {low}–{high} tok/s</translation>
    </message>
</context>
<context>
    <name>ChoicesView</name>
    <message>
        <source>Copy this row</source>
        <translation>复制此行</translation>
    </message>
    <message>
        <source>Copy SHA-256</source>
        <translation>复制 SHA-256</translation>
    </message>
    <message>
        <source>Sort by</source>
        <translation>排序方式</translation>
    </message>
    <message>
        <source>What is best here</source>
        <translation>最适合本机的在前</translation>
    </message>
</context>
<context>
    <name>CodeBlock</name>
    <message>
        <source>text</source>
        <translation>文本</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy this code</source>
        <translation>复制这段代码</translation>
    </message>
    <message>
        <source>Code</source>
        <translation>代码</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
</context>
<context>
    <name>Composer</name>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>输入消息</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Esc stops</source>
        <translation>按 Esc 停止</translation>
    </message>
    <message>
        <source>Enter sends, Shift+Enter breaks the line</source>
        <translation>Enter 发送，Shift+Enter 换行</translation>
    </message>
    <message>
        <source>Ctrl+Enter sends</source>
        <translation>Ctrl+Enter 发送</translation>
    </message>
</context>
<context>
    <name>ContextChoice</name>
    <message>
        <source>Context length</source>
        <translation>上下文长度</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>How much of a conversation the model keeps in mind, in tokens: each is about three quarters of a word.</source>
        <translation>模型能记住多长的对话，以 token 计：一个 token 大约是四分之三个英文单词。</translation>
    </message>
    <message>
        <source>f16 (exact)</source>
        <translation>f16（精确）</translation>
    </message>
    <message>
        <source>q8_0 (half)</source>
        <translation>q8_0（一半）</translation>
    </message>
    <message>
        <source>KV cache type</source>
        <translation>KV 缓存类型</translation>
    </message>
    <message>
        <source>How the conversation is kept in memory: exactly (f16), or in half the room, hardly worse (q8_0).</source>
        <translation>对话如何保存在内存中：精确保存（f16），或只占一半空间、几乎没有损失（q8_0）。</translation>
    </message>
    <message>
        <source>KV cache</source>
        <translation>KV 缓存</translation>
    </message>
</context>
<context>
    <name>ConversationListModel</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Today</source>
        <translation>今天</translation>
    </message>
    <message>
        <source>Yesterday</source>
        <translation>昨天</translation>
    </message>
    <message>
        <source>Earlier</source>
        <translation>更早</translation>
    </message>
</context>
<context>
    <name>DeviceLoads</name>
    <message>
        <source>Needs {size} more</source>
        <translation>还差 {size}</translation>
    </message>
    <message>
        <source>GiB</source>
        <translation>GiB</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>KV cache</source>
        <translation>KV 缓存</translation>
    </message>
    <message>
        <source>Compute</source>
        <translation>计算</translation>
    </message>
    <message>
        <source>Other programs</source>
        <translation>其他程序</translation>
    </message>
    <message>
        <source>Free</source>
        <translation>空闲</translation>
    </message>
    <message>
        <source>Buffers {buffers}, and {driver} for the driver and the engine itself</source>
        <translation>缓冲区 {buffers}，驱动和引擎自身 {driver}</translation>
    </message>
    <message>
        <source>{device}: {used} of {total} GiB needed. {verdict}</source>
        <translation>{device}：需要 {used}，共 {total} GiB。{verdict}</translation>
    </message>
    <message>
        <source>Not used</source>
        <translation>未使用</translation>
    </message>
    <message>
        <source>Fits</source>
        <translation>放得下</translation>
    </message>
    <message>
        <source>Little to spare</source>
        <translation>余量很小</translation>
    </message>
    <message>
        <source>It fits, but {size} of what should stay free are missing.</source>
        <translation>放得下，但应留出的空间少了 {size}。</translation>
    </message>
</context>
<context>
    <name>DoctorCard</name>
    <message>
        <source>Doctor</source>
        <translation>诊断</translation>
    </message>
    <message>
        <source>Checking …</source>
        <translation>正在检查 …</translation>
    </message>
    <message>
        <source>1 problem</source>
        <translation>1 个问题</translation>
    </message>
    <message>
        <source>{count} problems</source>
        <translation>{count} 个问题</translation>
    </message>
    <message>
        <source>1 hint</source>
        <translation>1 条提示</translation>
    </message>
    <message>
        <source>{count} hints</source>
        <translation>{count} 条提示</translation>
    </message>
    <message>
        <source>All good</source>
        <translation>一切正常</translation>
    </message>
    <message>
        <source>Hide what was not judged</source>
        <translation>隐藏未判断的项目</translation>
    </message>
    <message>
        <source>Show what was not judged ({count})</source>
        <translation>显示未判断的项目（{count}）</translation>
    </message>
</context>
<context>
    <name>DownloadList</name>
    <message>
        <source>Stop all downloads</source>
        <translation>停止全部下载</translation>
    </message>
    <message>
        <source>Go on with all downloads</source>
        <translation>继续全部下载</translation>
    </message>
</context>
<context>
    <name>DownloadWords</name>
    <message>
        <source>{name}: not finished</source>
        <translation>{name}：未完成</translation>
    </message>
    <message>
        <source>It goes on by itself when that has passed.</source>
        <translation>恢复后会自动继续。</translation>
    </message>
    <message>
        <source>Downloading {name}</source>
        <translation>正在下载 {name}</translation>
    </message>
    <message>
        <source>Waiting for its turn</source>
        <translation>正在排队</translation>
    </message>
    <message>
        <source>Asking the Hub …</source>
        <translation>正在询问 Hub …</translation>
    </message>
    <message>
        <source>Verifying what came: {share} %</source>
        <translation>正在校验文件：{share} %</translation>
    </message>
    <message>
        <source>{done} of {total}</source>
        <translation>{done} / {total}</translation>
    </message>
    <message>
        <source>{speed} MB/s</source>
        <translation>{speed} MB/s</translation>
    </message>
    <message>
        <source>{seconds} s left</source>
        <translation>剩余 {seconds} 秒</translation>
    </message>
    <message>
        <source>{minutes} min left</source>
        <translation>剩余 {minutes} 分钟</translation>
    </message>
    <message>
        <source>{hours} h {minutes} min left</source>
        <translation>剩余 {hours} 小时 {minutes} 分钟</translation>
    </message>
</context>
<context>
    <name>Editor</name>
    <message>
        <source>On</source>
        <translation>开启</translation>
    </message>
    <message>
        <source>The one used last</source>
        <translation>上次使用的模型</translation>
    </message>
    <message>
        <source>As the model suggests</source>
        <translation>按模型建议</translation>
    </message>
    <message>
        <source>Not set</source>
        <translation>未设置</translation>
    </message>
    <message>
        <source>Snug&apos;s own folder</source>
        <translation>Snug 自己的文件夹</translation>
    </message>
    <message>
        <source>Choose a folder</source>
        <translation>选择文件夹</translation>
    </message>
    <message>
        <source>Models folder</source>
        <translation>模型文件夹</translation>
    </message>
</context>
<context>
    <name>EngineWords</name>
    <message>
        <source>Guessing ahead: prompt lookup, used where it is measured to be faster</source>
        <translation>提前猜测：从上文查找，实测更快时才使用</translation>
    </message>
    <message>
        <source>Guessing ahead: a draft model, used where it is measured to be faster</source>
        <translation>提前猜测：草稿模型，实测更快时才使用</translation>
    </message>
    <message>
        <source>Guessing ahead: switched off</source>
        <translation>提前猜测：已关闭</translation>
    </message>
    <message>
        <source>Guessing ahead: off, this kind of model cannot take a wrong guess back</source>
        <translation>提前猜测：未使用，这类模型无法撤回猜错的内容</translation>
    </message>
    <message>
        <source>Guessing ahead: off, the plan computes one token per step</source>
        <translation>提前猜测：未使用，加载计划每步只计算一个 token</translation>
    </message>
    <message>
        <source>Guessing ahead: off, the plan names no draft model</source>
        <translation>提前猜测：未使用，加载计划没有指定草稿模型</translation>
    </message>
    <message>
        <source>The engine has stopped</source>
        <translation>引擎已停止</translation>
    </message>
    <message>
        <source>The engine crashed and is starting again</source>
        <translation>引擎崩溃，正在重新启动</translation>
    </message>
    <message>
        <source>Starting the engine</source>
        <translation>正在启动引擎</translation>
    </message>
    <message>
        <source>Loading the model: {percent} %</source>
        <translation>正在加载模型：{percent} %</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>No model is loaded</source>
        <translation>未加载模型</translation>
    </message>
    <message>
        <source>CPU · {threads} threads · {layers} layers in main memory</source>
        <translation>CPU · {threads} 线程 · {layers} 层在内存中</translation>
    </message>
    <message>
        <source>{backend} · {cards} · {count} of {layers} layers on the GPU</source>
        <translation>{backend} · {cards} · {layers} 层中的 {count} 层在 GPU 上</translation>
    </message>
</context>
<context>
    <name>ExactRows</name>
    <message>
        <source>One row could not be checked; its memory stays an estimate.</source>
        <translation>有一行无法核对，其内存仍为估计值。</translation>
    </message>
    <message>
        <source>{count} rows could not be checked; their memory stays an estimate.</source>
        <translation>有 {count} 行无法核对，其内存仍为估计值。</translation>
    </message>
    <message>
        <source>The log has the other reasons.</source>
        <translation>其他原因见日志。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
</context>
<context>
    <name>Fetch</name>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>{name} is ready and verified.</source>
        <translation>{name} 已就绪并通过校验。</translation>
    </message>
    <message>
        <source>Chat with it</source>
        <translation>用它对话</translation>
    </message>
</context>
<context>
    <name>FoundCard</name>
    <message>
        <source>{number} GB/s</source>
        <translation>{number} GB/s</translation>
    </message>
    <message>
        <source>driver {version}</source>
        <translation>驱动 {version}</translation>
    </message>
    <message>
        <source>shares the main memory</source>
        <translation>与内存共用</translation>
    </message>
    <message>
        <source>used by the engine as {name}</source>
        <translation>引擎以 {name} 使用它</translation>
    </message>
    <message>
        <source>On the bus at {address}</source>
        <translation>总线地址 {address}</translation>
    </message>
    <message>
        <source>No driver answers for this card, so it cannot be used.</source>
        <translation>没有驱动响应这张显卡，因此无法使用。</translation>
    </message>
    <message>
        <source>{cores} cores, {threads} threads</source>
        <translation>{cores} 核，{threads} 线程</translation>
    </message>
    <message>
        <source>of {total} in the machine</source>
        <translation>整机共 {total}</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>磁盘</translation>
    </message>
    <message>
        <source>Models folder: {path}</source>
        <translation>模型文件夹：{path}</translation>
    </message>
    <message>
        <source>{free} free of {total}</source>
        <translation>可用 {free} / 共 {total}</translation>
    </message>
    <message>
        <source>{used} of {total}</source>
        <translation>{used} / {total}</translation>
    </message>
    <message>
        <source>Snug {size}</source>
        <translation>Snug {size}</translation>
    </message>
    <message>
        <source>{percent} % busy</source>
        <translation>占用 {percent} %</translation>
    </message>
</context>
<context>
    <name>GaugeLegend</name>
    <message>
        <source>Weights</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>KV cache</source>
        <translation>KV 缓存</translation>
    </message>
    <message>
        <source>Compute</source>
        <translation>计算</translation>
    </message>
    <message>
        <source>Other programs</source>
        <translation>其他程序</translation>
    </message>
</context>
<context>
    <name>HardwareView</name>
    <message>
        <source>Hardware</source>
        <translation>硬件</translation>
    </message>
    <message>
        <source>Look again</source>
        <translation>重新查看</translation>
    </message>
    <message>
        <source>What if …</source>
        <translation>如果……</translation>
    </message>
    <message>
        <source>Looking at this machine …</source>
        <translation>正在查看这台电脑 …</translation>
    </message>
    <message>
        <source>Checking …</source>
        <translation>正在检查 …</translation>
    </message>
    <message>
        <source>The checks could not run.</source>
        <translation>无法运行检查。</translation>
    </message>
</context>
<context>
    <name>HubController</name>
    <message>
        <source>No file of it can be judged</source>
        <translation>其中没有可以判断的文件</translation>
    </message>
    <message>
        <source>No browser could be opened. The page is {address}</source>
        <translation>无法打开浏览器。该页面的地址是 {address}</translation>
    </message>
</context>
<context>
    <name>HubFilesController</name>
    <message>
        <source>It has no model files (GGUF).</source>
        <translation>其中没有模型文件（GGUF）。</translation>
    </message>
    <message>
        <source>The engine cannot be asked which of its files fit.</source>
        <translation>无法询问引擎其中哪些文件放得下。</translation>
    </message>
    <message>
        <source>{done} of {count} files checked …</source>
        <translation>已检查 {done} / {count} 个文件…</translation>
    </message>
    <message>
        <source>One file could not be checked.</source>
        <translation>有一个文件无法检查。</translation>
    </message>
    <message>
        <source>{count} files could not be checked.</source>
        <translation>有 {count} 个文件无法检查。</translation>
    </message>
</context>
<context>
    <name>HubResults</name>
    <message>
        <source>Only what fits here</source>
        <translation>只看放得下的</translation>
    </message>
    <message>
        <source>Close the results</source>
        <translation>关闭结果</translation>
    </message>
    <message>
        <source>Back to the results</source>
        <translation>返回结果</translation>
    </message>
    <message>
        <source>More results</source>
        <translation>更多结果</translation>
    </message>
    <message>
        <source>Files of this repository</source>
        <translation>这个仓库的文件</translation>
    </message>
    <message>
        <source>Trending</source>
        <translation>热门</translation>
    </message>
    <message>
        <source>Most downloads</source>
        <translation>下载最多</translation>
    </message>
    <message>
        <source>Most likes</source>
        <translation>点赞最多</translation>
    </message>
    <message>
        <source>Changed last</source>
        <translation>最近更新</translation>
    </message>
    <message>
        <source>Newest</source>
        <translation>最新</translation>
    </message>
    <message>
        <source>Order of the results</source>
        <translation>结果的顺序</translation>
    </message>
    <message>
        <source>In which order the Hub lists what it found.</source>
        <translation>Hub 按什么顺序列出结果。</translation>
    </message>
    <message>
        <source>Asking the Hub …</source>
        <translation>正在询问 Hub…</translation>
    </message>
    <message>
        <source>The Hub has no model files (GGUF) for “{text}”.</source>
        <translation>Hub 上没有与“{text}”相符的模型文件（GGUF）。</translation>
    </message>
    <message>
        <source>Try fewer words, or only the name of the model.</source>
        <translation>请减少搜索词，或只输入模型名称。</translation>
    </message>
    <message>
        <source>The Hub named no models.</source>
        <translation>Hub 没有给出任何模型。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Checking …</source>
        <translation>正在检查…</translation>
    </message>
    <message>
        <source>Asking the Hub which files it has …</source>
        <translation>正在询问 Hub 其中有哪些文件…</translation>
    </message>
    <message>
        <source>On the Hugging Face Hub: {name} from every publisher</source>
        <translation>Hugging Face Hub 上：所有发布者的 {name}</translation>
    </message>
    <message>
        <source>On the Hugging Face Hub: “{text}”</source>
        <translation>Hugging Face Hub 上：“{text}”</translation>
    </message>
    <message>
        <source>On the Hugging Face Hub</source>
        <translation>Hugging Face Hub 上</translation>
    </message>
    <message>
        <source>None of these fits this machine.</source>
        <translation>这些都不适合这台机器。</translation>
    </message>
    <message>
        <source>Show them</source>
        <translation>显示它们</translation>
    </message>
</context>
<context>
    <name>HubRow</name>
    <message>
        <source>All files</source>
        <translation>全部文件</translation>
    </message>
    <message>
        <source>All files of {name}</source>
        <translation>{name} 的全部文件</translation>
    </message>
    <message>
        <source>Other publishers</source>
        <translation>其他发布者</translation>
    </message>
    <message>
        <source>Other publishers of {name}</source>
        <translation>{name} 的其他发布者</translation>
    </message>
    <message>
        <source>1 download</source>
        <translation>1 次下载</translation>
    </message>
    <message>
        <source>{count} downloads</source>
        <translation>{count} 次下载</translation>
    </message>
    <message>
        <source>1 like</source>
        <translation>1 个赞</translation>
    </message>
    <message>
        <source>{count} likes</source>
        <translation>{count} 个赞</translation>
    </message>
    <message>
        <source>changed {day}</source>
        <translation>更新于 {day}</translation>
    </message>
    <message>
        <source>private</source>
        <translation>私有</translation>
    </message>
    <message>
        <source>asks for your agreement on its page</source>
        <translation>需要先在其页面上同意条款</translation>
    </message>
    <message>
        <source>in the catalog</source>
        <translation>在目录中</translation>
    </message>
    <message>
        <source>on this computer</source>
        <translation>已在这台电脑上</translation>
    </message>
    <message>
        <source>Downloading: {share}</source>
        <translation>正在下载：{share}</translation>
    </message>
    <message>
        <source>{size} memory</source>
        <translation>内存 {size}</translation>
    </message>
    <message>
        <source>Open its page</source>
        <translation>打开其页面</translation>
    </message>
    <message>
        <source>Open the page of {name}</source>
        <translation>打开 {name} 的页面</translation>
    </message>
    <message>
        <source>Who else has published files of {name}.</source>
        <translation>还有谁发布了 {name} 的文件。</translation>
    </message>
    <message>
        <source>about {speed} tok/s</source>
        <translation>约 {speed} tok/s</translation>
    </message>
    <message>
        <source>about {speed} tok/s (estimate)</source>
        <translation>约 {speed} tok/s（估计）</translation>
    </message>
    <message>
        <source>Chat with {name}</source>
        <translation>与 {name} 聊天</translation>
    </message>
    <message>
        <source>Download {name}</source>
        <translation>下载 {name}</translation>
    </message>
</context>
<context>
    <name>Inspector</name>
    <message>
        <source>System prompt</source>
        <translation>系统提示词</translation>
    </message>
    <message>
        <source>What the model is told before the conversation</source>
        <translation>对话开始前告诉模型的内容</translation>
    </message>
    <message>
        <source>Sampling</source>
        <translation>采样</translation>
    </message>
    <message>
        <source>random</source>
        <translation>随机</translation>
    </message>
    <message>
        <source>no limit</source>
        <translation>不限</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Low is precise and repeatable, high is varied and surprising.</source>
        <translation>低则准确稳定，高则多样出人意料。</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Chooses among the likeliest words that together reach this share; 1 considers all.</source>
        <translation>在合计达到此比例的最可能的词中选择；1 表示考虑全部。</translation>
    </message>
    <message>
        <source>Max length</source>
        <translation>最大长度</translation>
    </message>
    <message>
        <source>The most new tokens of one reply; a token is about three quarters of a word.</source>
        <translation>一条回复最多新生成的 token 数；一个 token 大约相当于一到两个汉字。</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Chooses among this many likeliest words; 0 is all.</source>
        <translation>在这么多个最可能的词中选择；0 表示全部。</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Leaves out words less likely than this share of the likeliest one; 0 leaves out none.</source>
        <translation>排除概率低于最可能的词的此比例的词；0 表示不排除。</translation>
    </message>
    <message>
        <source>Repeat penalty</source>
        <translation>重复惩罚</translation>
    </message>
    <message>
        <source>Above 1, words that were just used become less likely.</source>
        <translation>大于 1 时，刚用过的词更不容易再出现。</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>The same seed and settings give the same reply; random draws a new one each time.</source>
        <translation>相同的种子和设置得到相同的回复；随机则每次换一个。</translation>
    </message>
    <message>
        <source>Less</source>
        <translation>收起</translation>
    </message>
    <message>
        <source>More: top-k, min-p, penalty, seed</source>
        <translation>更多：top-k、min-p、惩罚、种子</translation>
    </message>
</context>
<context>
    <name>InspectorController</name>
    <message>
        <source>No GPU: the model runs in main memory</source>
        <translation>没有 GPU：模型在内存中运行</translation>
    </message>
</context>
<context>
    <name>InstalledCard</name>
    <message>
        <source>On this disk</source>
        <translation>在此磁盘上</translation>
    </message>
    <message>
        <source>A model file (GGUF) from anywhere; it stays where it is. Files can be dropped here too.</source>
        <translation>任何位置的模型文件（GGUF）；文件留在原处。也可以把文件拖到这里。</translation>
    </message>
    <message>
        <source>Models in a folder and all below it are listed here, where they are.</source>
        <translation>列出一个文件夹及其下所有文件夹中的模型，模型留在原处。</translation>
    </message>
    <message>
        <source>Add a file …</source>
        <translation>添加文件…</translation>
    </message>
    <message>
        <source>Add a folder …</source>
        <translation>添加文件夹…</translation>
    </message>
    <message>
        <source>More about the models on this disk</source>
        <translation>此磁盘上模型的更多操作</translation>
    </message>
    <message>
        <source>No model is on this disk yet.</source>
        <translation>此磁盘上还没有模型。</translation>
    </message>
    <message>
        <source>Check the file</source>
        <translation>检查文件</translation>
    </message>
    <message>
        <source>Show in its folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Download again</source>
        <translation>重新下载</translation>
    </message>
    <message>
        <source>Move to the trash</source>
        <translation>移到回收站</translation>
    </message>
    <message>
        <source>Take off the list</source>
        <translation>从列表中去掉</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Look for new models</source>
        <translation>查找新模型</translation>
    </message>
    <message>
        <source>Find models that are here twice</source>
        <translation>查找重复的模型</translation>
    </message>
    <message>
        <source>Look no more in {folder}</source>
        <translation>不再查看 {folder}</translation>
    </message>
    <message>
        <source>Show all {count}</source>
        <translation>显示全部 {count} 个</translation>
    </message>
    <message>
        <source>Show fewer</source>
        <translation>收起</translation>
    </message>
    <message>
        <source>A folder is in its place: {path}</source>
        <translation>原来的位置现在是一个文件夹：{path}</translation>
    </message>
    <message>
        <source>The file has changed</source>
        <translation>文件变过</translation>
    </message>
    <message>
        <source>Only a part of it is here</source>
        <translation>只有一部分在这里</translation>
    </message>
    <message>
        <source>The file is damaged</source>
        <translation>文件已损坏</translation>
    </message>
    <message>
        <source>It came with Snug: run the set-up again.</source>
        <translation>它随 Snug 提供：请重新运行安装程序。</translation>
    </message>
    <message>
        <source>Since it was added or looked at last. Check whether it is whole, then it can be used.</source>
        <translation>自添加或上次查看以来文件变过。请检查它是否完整，完整就可以使用。</translation>
    </message>
    <message>
        <source>Download it again, or copy it again from where it came.</source>
        <translation>请重新下载，或从原来的地方重新复制。</translation>
    </message>
    <message>
        <source>In your folder</source>
        <translation>在你的文件夹中</translation>
    </message>
    <message>
        <source>From LM Studio</source>
        <translation>来自 LM Studio</translation>
    </message>
    <message>
        <source>From Jan</source>
        <translation>来自 Jan</translation>
    </message>
    <message>
        <source>From GPT4All</source>
        <translation>来自 GPT4All</translation>
    </message>
    <message>
        <source>From Ollama</source>
        <translation>来自 Ollama</translation>
    </message>
    <message>
        <source>From the Hugging Face cache</source>
        <translation>来自 Hugging Face 缓存</translation>
    </message>
    <message>
        <source>The file is gone: {path}</source>
        <translation>文件不见了：{path}</translation>
    </message>
    <message>
        <source>Comes with Snug, needs no network</source>
        <translation>随 Snug 提供，无需网络</translation>
    </message>
</context>
<context>
    <name>InstalledRow</name>
    <message>
        <source>In use</source>
        <translation>使用中</translation>
    </message>
    <message>
        <source>Chat with {name}</source>
        <translation>与 {name} 聊天</translation>
    </message>
    <message>
        <source>More about {name}</source>
        <translation>{name} 的更多操作</translation>
    </message>
</context>
<context>
    <name>LabelledSlider</name>
    <message>
        <source>Set {name} back to its default</source>
        <translation>将{name}恢复为默认值</translation>
    </message>
</context>
<context>
    <name>LibraryController</name>
    <message>
        <source>Looking for models …</source>
        <translation>正在查找模型…</translation>
    </message>
    <message>
        <source>Not everything could be looked at.</source>
        <translation>有些地方没能查看。</translation>
    </message>
    <message>
        <source>Comparing … {share} %</source>
        <translation>正在比较… {share} %</translation>
    </message>
    <message>
        <source>No model is here twice.</source>
        <translation>没有重复的模型。</translation>
    </message>
    <message>
        <source>Models that are here more than once: {count}</source>
        <translation>重复的模型：{count} 个</translation>
    </message>
    <message>
        <source>To free the space, remove what you do not need; the other one stays.</source>
        <translation>要腾出空间，请移除不需要的那一份；另一份会保留。</translation>
    </message>
    <message>
        <source>Adding … {number} of {count}</source>
        <translation>正在添加… {number} / {count}</translation>
    </message>
    <message>
        <source>{name} is here already.</source>
        <translation>{name} 已经在这里了。</translation>
    </message>
    <message>
        <source>Added: {names}</source>
        <translation>已添加：{names}</translation>
    </message>
    <message>
        <source>Checking … {share} %</source>
        <translation>正在检查… {share} %</translation>
    </message>
    <message>
        <source>{name} is whole and unchanged: its checksum (SHA-256) is the one its publisher names.</source>
        <translation>{name} 完整且未被改动：它的校验和（SHA-256）与发布者给出的一致。</translation>
    </message>
    <message>
        <source>{name} seems whole: its size and its beginning are right. Nobody named a checksum to be sure by.</source>
        <translation>{name} 看来完整：大小和文件头都正确。没有人给出可供核对的校验和。</translation>
    </message>
    <message>
        <source>No file manager could be started.</source>
        <translation>无法启动文件管理器。</translation>
    </message>
    <message>
        <source>{name} is in use.</source>
        <translation>{name} 正在使用。</translation>
    </message>
    <message>
        <source>Load another model first; then this one can be removed.</source>
        <translation>请先加载另一个模型，然后才能移除它。</translation>
    </message>
    <message>
        <source>{name} is in the trash now.</source>
        <translation>{name} 已移到回收站。</translation>
    </message>
    <message>
        <source>{name} was deleted.</source>
        <translation>{name} 已删除。</translation>
    </message>
    <message>
        <source>{name} is off the list; its file was gone.</source>
        <translation>{name} 已从列表中去掉；它的文件已经不在了。</translation>
    </message>
    <message>
        <source>{name} is off the list. Its file stays where it is; add it again whenever you like.</source>
        <translation>{name} 已从列表中去掉。文件留在原处；随时可以再添加。</translation>
    </message>
    <message>
        <source>Delete for good</source>
        <translation>永久删除</translation>
    </message>
    <message>
        <source>Add model files</source>
        <translation>添加模型文件</translation>
    </message>
    <message>
        <source>Models (*.gguf)</source>
        <translation>模型 (*.gguf)</translation>
    </message>
    <message>
        <source>Add a folder with models</source>
        <translation>添加存放模型的文件夹</translation>
    </message>
</context>
<context>
    <name>Looking</name>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
</context>
<context>
    <name>MemoryPanel</name>
    <message>
        <source>Waiting for the first reading …</source>
        <translation>正在等待第一次读数 …</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>60 s ago</source>
        <translation>60 秒前</translation>
    </message>
    <message>
        <source>now</source>
        <translation>现在</translation>
    </message>
</context>
<context>
    <name>MessageList</name>
    <message>
        <source>Messages</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Go to the end</source>
        <translation>转到末尾</translation>
    </message>
    <message>
        <source>Show earlier messages</source>
        <translation>显示更早的消息</translation>
    </message>
</context>
<context>
    <name>ModelButton</name>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Model: {name} {details}</source>
        <translation>模型：{name} {details}</translation>
    </message>
</context>
<context>
    <name>ModelLoader</name>
    <message>
        <source>Preparing {name}</source>
        <translation>正在准备 {name}</translation>
    </message>
    <message>
        <source>Start it as it worked last</source>
        <translation>按上次正常工作的方式启动</translation>
    </message>
    <message>
        <source>It answered before with {count} tokens of context.</source>
        <translation>此前使用 {count} 个 token 的上下文时能正常回答。</translation>
    </message>
    <message>
        <source>Start it with {count} tokens of context</source>
        <translation>以 {count} 个 token 的上下文启动</translation>
    </message>
    <message>
        <source>Half the context needs less memory.</source>
        <translation>上下文减半，所需内存更少。</translation>
    </message>
    <message>
        <source>The engine crashed several times and was left off. {reason}</source>
        <translation>引擎多次崩溃，已停止。{reason}</translation>
    </message>
    <message>
        <source>Start it again</source>
        <translation>重新启动</translation>
    </message>
</context>
<context>
    <name>ModelPicker</name>
    <message>
        <source>loading …</source>
        <translation>加载中 …</translation>
    </message>
</context>
<context>
    <name>ModelsView</name>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Models for this machine</source>
        <translation>适合这台电脑的模型</translation>
    </message>
    <message>
        <source>Looking at this machine …</source>
        <translation>正在查看这台电脑 …</translation>
    </message>
    <message>
        <source>Fetches the beginning of each file from the Hub, some megabytes each and kept for later, so that the engine can say exactly what it needs here. No model is downloaded.</source>
        <translation>从 Hub 取得每个文件的开头（每个几 MB，并保存备用），让引擎算出它在这里确切需要多少。不会下载任何模型。</translation>
    </message>
    <message>
        <source>Search models</source>
        <translation>搜索模型</translation>
    </message>
    <message>
        <source>Search models; Enter searches the Hub</source>
        <translation>搜索模型；按 Enter 搜索 Hub</translation>
    </message>
    <message>
        <source>Shows the models of the list below whose names have this in them. Enter asks the Hugging Face Hub, the site where most models are published.</source>
        <translation>显示下方列表中名称含有这些字的模型。按回车键则向 Hugging Face Hub 查询，大多数模型都发布在这个网站上。</translation>
    </message>
    <message>
        <source>Nothing fits with room to spare</source>
        <translation>没有能宽裕放下的模型</translation>
    </message>
    <message>
        <source>Memory is exact for this machine, checked by the engine just now</source>
        <translation>内存为这台机器的精确值，引擎刚刚核对过</translation>
    </message>
    <message>
        <source>Memory: {exact} of {count} exact, the engine is being asked …</source>
        <translation>内存：{count} 个中 {exact} 个精确，正在询问引擎……</translation>
    </message>
    <message>
        <source>Estimates for this machine; the engine is being asked …</source>
        <translation>这台机器的估计值；正在询问引擎……</translation>
    </message>
    <message>
        <source>Memory: {exact} of {count} exact, the others are estimates</source>
        <translation>内存：{count} 个中 {exact} 个精确，其余为估计值</translation>
    </message>
    <message>
        <source>Memory is an estimate; speeds are from what was measured here</source>
        <translation>内存是估计值，速度来自本机实测</translation>
    </message>
    <message>
        <source>Estimates for this machine; the Hardware page can measure its speed</source>
        <translation>按本机估计；速度可以在“硬件”页实测</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Make them exact</source>
        <translation>全部精确计算</translation>
    </message>
    <message>
        <source>In Snug&apos;s catalog</source>
        <translation>Snug 的目录</translation>
    </message>
    <message>
        <source>Search the Hugging Face Hub for “{text}”</source>
        <translation>在 Hugging Face Hub 上搜索“{text}”</translation>
    </message>
    <message>
        <source>See what else is on the Hugging Face Hub</source>
        <translation>看看 Hugging Face Hub 上还有什么</translation>
    </message>
    <message>
        <source>No model of the catalog has this in its name.</source>
        <translation>目录中没有名称包含此内容的模型。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>A shorter context or a smaller KV cache needs less memory.</source>
        <translation>更短的上下文或更小的 KV 缓存需要的内存更少。</translation>
    </message>
    <message>
        <source>Try a shorter context</source>
        <translation>试试更短的上下文</translation>
    </message>
    <message>
        <source>What fits is not known until this machine can be looked at.</source>
        <translation>要先能查看这台电脑，才知道什么放得下。</translation>
    </message>
    <message>
        <source>The models are listed here in a moment.</source>
        <translation>模型马上会列在这里。</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close this message</source>
        <translation>关闭此消息</translation>
    </message>
</context>
<context>
    <name>OwnMessage</name>
    <message>
        <source>Your message</source>
        <translation>你的消息</translation>
    </message>
</context>
<context>
    <name>Pages</name>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Hardware</source>
        <translation>硬件</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Welcome</source>
        <translation>欢迎</translation>
    </message>
</context>
<context>
    <name>PlannerCard</name>
    <message>
        <source>What if …</source>
        <translation>如果……</translation>
    </message>
    <message>
        <source>in this machine</source>
        <translation>在这台机器</translation>
    </message>
    <message>
        <source>in another machine</source>
        <translation>在另一台机器</translation>
    </message>
    <message>
        <source>Where the card would be</source>
        <translation>显卡装在哪里</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>添加</translation>
    </message>
    <message>
        <source>Keep the cards that are here</source>
        <translation>保留现有显卡</translation>
    </message>
    <message>
        <source>Today</source>
        <translation>现在</translation>
    </message>
    <message>
        <source>Then</source>
        <translation>之后</translation>
    </message>
    <message>
        <source>Graphics card, or its memory</source>
        <translation>显卡型号或显存大小</translation>
    </message>
    <message>
        <source>RTX 4070, or 16 GB</source>
        <translation>RTX 4070，或 16 GB</translation>
    </message>
    <message>
        <source>as now</source>
        <translation>与现在相同</translation>
    </message>
    <message>
        <source>Main memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>as now ({size})</source>
        <translation>与现在相同（{size}）</translation>
    </message>
    <message>
        <source>Add a card or choose another amount of memory to see what would come first.</source>
        <translation>添加一张显卡或选择另一种内存大小，看看届时哪个模型最合适。</translation>
    </message>
    <message>
        <source>Nothing of the catalog fits with room to spare.</source>
        <translation>目录中没有放得下且留有余量的模型。</translation>
    </message>
    <message>
        <source>At {count} tokens of context.</source>
        <translation>上下文为 {count} 个 token。</translation>
    </message>
    <message>
        <source>{card}, in another machine</source>
        <translation>{card}，在另一台机器</translation>
    </message>
    <message>
        <source>Remove {card}</source>
        <translation>移除 {card}</translation>
    </message>
</context>
<context>
    <name>ProgressCard</name>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Takes it off the list and deletes what has come of it.</source>
        <translation>从列表中移除，并删除已下载的部分。</translation>
    </message>
    <message>
        <source>Make it the next</source>
        <translation>下一个就下它</translation>
    </message>
</context>
<context>
    <name>ReasoningBlock</name>
    <message>
        <source>Thinking …</source>
        <translation>思考中 …</translation>
    </message>
    <message>
        <source>Thought for {seconds} s</source>
        <translation>思考了 {seconds} 秒</translation>
    </message>
    <message>
        <source>Thoughts</source>
        <translation>思考过程</translation>
    </message>
</context>
<context>
    <name>ReplyActions</name>
    <message>
        <source>Earlier version</source>
        <translation>上一个版本</translation>
    </message>
    <message>
        <source>Later version</source>
        <translation>下一个版本</translation>
    </message>
    <message>
        <source>Copy this reply</source>
        <translation>复制此回复</translation>
    </message>
    <message>
        <source>Answer again</source>
        <translation>重新回答</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续</translation>
    </message>
</context>
<context>
    <name>ReplyMessage</name>
    <message>
        <source>Reading your message …</source>
        <translation>正在读取你的消息 …</translation>
    </message>
</context>
<context>
    <name>ReplyText</name>
    <message>
        <source>Reply</source>
        <translation>回复</translation>
    </message>
</context>
<context>
    <name>SettingRow</name>
    <message>
        <source>Set {name} back to its default</source>
        <translation>将{name}恢复为默认值</translation>
    </message>
</context>
<context>
    <name>SettingsView</name>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Saved. Snug uses it from its next start on.</source>
        <translation>已保存。Snug 下次启动后生效。</translation>
    </message>
    <message>
        <source>The environment variable {name} decides this.</source>
        <translation>由环境变量 {name} 决定。</translation>
    </message>
    <message>
        <source>Snug {version}
Settings: {settings}
Chats and models: {data}
Log: {log}</source>
        <translation>Snug {version}
设置：{settings}
对话和模型：{data}
日志：{log}</translation>
    </message>
</context>
<context>
    <name>Sidebar</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Search all chats</source>
        <translation>搜索所有对话</translation>
    </message>
    <message>
        <source>Nothing was found.</source>
        <translation>没有找到。</translation>
    </message>
    <message>
        <source>Your chats will be listed here.</source>
        <translation>你的对话会列在这里。</translation>
    </message>
    <message>
        <source>Conversations</source>
        <translation>对话列表</translation>
    </message>
    <message>
        <source>Rename …</source>
        <translation>重命名 …</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
</context>
<context>
    <name>SpeedCard</name>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>重新测量</translation>
    </message>
    <message>
        <source>Measure this machine</source>
        <translation>测量这台电脑</translation>
    </message>
    <message>
        <source>The speeds that Snug predicts here are estimates until this machine was measured. That takes about 20 seconds for each device and needs no model.</source>
        <translation>在测量这台电脑之前，Snug 预计的速度都是估计值。每个设备约需 20 秒，不需要模型。</translation>
    </message>
    <message>
        <source>What was not measured yet is predicted by estimates. Measure again to have all of it.</source>
        <translation>还没测量的部分按估计值预计。重新测量即可补全。</translation>
    </message>
    <message>
        <source>Measured on this machine; predicted speeds rest on it. Writing: how fast the weights of a model are read, by their quantization. Reading: how fast a prompt is worked through.</source>
        <translation>在本机实测，预计的速度以此为准。写：读取模型权重的速度，按量化区分。读：处理提示词的速度。</translation>
    </message>
    <message>
        <source>A reply is being written. Beside it the figures would be wrong: measuring begins when it has ended.</source>
        <translation>正在写一条回复。同时测量会得到错误的数字，所以等它结束后再开始。</translation>
    </message>
    <message>
        <source>A model is being loaded. Beside it the figures would be wrong: measuring begins after that.</source>
        <translation>正在加载模型。同时测量会得到错误的数字，所以等加载完成后再开始。</translation>
    </message>
    <message>
        <source>Measuring … {percent} %</source>
        <translation>正在测量… {percent} %</translation>
    </message>
    <message>
        <source>Writing, {kind}</source>
        <translation>写，{kind}</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>读</translation>
    </message>
    <message>
        <source>Thousand millions of operations a second, with weights in Q4_K</source>
        <translation>每秒十亿次运算，权重为 Q4_K</translation>
    </message>
    <message>
        <source>Thousand millions of bytes of weights a second</source>
        <translation>每秒读取的权重，以十亿字节计</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <translation>尚未测量</translation>
    </message>
    <message>
        <source>{name} · {count} threads</source>
        <translation>{name} · {count} 线程</translation>
    </message>
</context>
<context>
    <name>SplitCard</name>
    <message>
        <source>Split</source>
        <translation>分配</translation>
    </message>
    <message>
        <source>Reset to Snug&apos;s split</source>
        <translation>恢复 Snug 的分配</translation>
    </message>
    <message>
        <source>Load with this split</source>
        <translation>按此分配加载</translation>
    </message>
    <message>
        <source>Looking at this machine …</source>
        <translation>正在了解这台机器……</translation>
    </message>
    <message>
        <source>Model to split</source>
        <translation>要分配的模型</translation>
    </message>
    <message>
        <source>Words that are likely to come next are guessed, and the model checks several of them in one step (speculative decoding). The text stays the same.</source>
        <translation>先猜测接下来可能出现的词，再由模型一步核对其中几个（推测解码）。文字不变。</translation>
    </message>
    <message>
        <source>{name} (in use)</source>
        <translation>{name}（使用中）</translation>
    </message>
    <message>
        <source>Reading the model …</source>
        <translation>正在读取模型 …</translation>
    </message>
    <message>
        <source>The engine did not start, so nothing can be split. The doctor says why.</source>
        <translation>引擎没有启动，无法分配。原因见下面的诊断。</translation>
    </message>
    <message>
        <source>There is no model on this disk yet; the Models page has them.</source>
        <translation>磁盘上还没有模型；请到“模型”页面下载。</translation>
    </message>
    <message>
        <source>Load with this context</source>
        <translation>按此上下文加载</translation>
    </message>
    <message>
        <source>Boundary between {left} and {right}</source>
        <translation>{left} 与 {right} 的分界</translation>
    </message>
    <message>
        <source>{left}: {first} layers, {right}: {second} layers</source>
        <translation>{left}：{first} 层，{right}：{second} 层</translation>
    </message>
    <message>
        <source>layers {first}–{last}</source>
        <translation>第 {first}–{last} 层</translation>
    </message>
    <message>
        <source>layer {number}</source>
        <translation>第 {number} 层</translation>
    </message>
    <message>
        <source>The engine uses no graphics card here, so all layers run on the processor from main memory; with a card, this is where they would be shared out.</source>
        <translation>引擎在这里不使用显卡，所有层都在处理器上、从内存中运行；有显卡时，可以在这里分配各层。</translation>
    </message>
    <message>
        <source>Snug would keep part of the first {blocks} layers on the processor, which is faster here; a boundary that is dragged moves whole layers.</source>
        <translation>Snug 会把前 {blocks} 层的一部分留在处理器上，这样在这里更快；拖动分界则会移动整层。</translation>
    </message>
    <message>
        <source>Drag a boundary to move layers from one device to the next.</source>
        <translation>拖动分界，把层从一个设备移到下一个。</translation>
    </message>
    <message>
        <source>Drag a boundary to move layers.</source>
        <translation>拖动分界来移动层。</translation>
    </message>
    <message>
        <source>{card} alone would be about {factor} times as fast.</source>
        <translation>只用 {card} 时，速度约为 {factor} 倍。</translation>
    </message>
    <message>
        <source>{card} alone would be about {percent} % faster.</source>
        <translation>只用 {card} 时，速度约快 {percent} %。</translation>
    </message>
    <message>
        <source>about {low}–{high} tok/s</source>
        <translation>约 {low}–{high} tok/s</translation>
    </message>
    <message>
        <source>about {low}–{high} tok/s (estimate)</source>
        <translation>约 {low}–{high} tok/s（估计）</translation>
    </message>
    <message>
        <source>As it is loaded now, by the engine&apos;s own figures</source>
        <translation>当前加载的状态，由引擎自己给出</translation>
    </message>
    <message>
        <source>Estimate: weights and KV cache are exact, compute buffers are not</source>
        <translation>估计：权重和 KV 缓存是精确的，计算缓冲区不是</translation>
    </message>
    <message>
        <source>Estimate, the engine is being asked …</source>
        <translation>估计，正在询问引擎……</translation>
    </message>
    <message>
        <source>Exact: checked by the engine just now</source>
        <translation>精确：引擎刚刚核对过</translation>
    </message>
    <message>
        <source>Being loaded like this …</source>
        <translation>正在按此加载……</translation>
    </message>
    <message>
        <source>This is how the model is loaded already.</source>
        <translation>模型已经是这样加载的。</translation>
    </message>
    <message>
        <source>It would not fit with what should stay free on each device.</source>
        <translation>在每个设备留出应有余量的情况下放不下。</translation>
    </message>
</context>
<context>
    <name>StatusLine</name>
    <message>
        <source>No network</source>
        <translation>无网络</translation>
    </message>
    <message>
        <source>Snug opens no connection. A setting switches that.</source>
        <translation>Snug 不打开任何连接。可以在设置中切换。</translation>
    </message>
</context>
<context>
    <name>TokenRow</name>
    <message>
        <source>Hugging Face token</source>
        <translation>Hugging Face 令牌</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Forget the token</source>
        <translation>忘掉令牌</translation>
    </message>
    <message>
        <source>For repositories that ask for your agreement, and for your private ones. Made on huggingface.co/settings/tokens; reading is enough.</source>
        <translation>用于需要同意条款的仓库和你的私有仓库。在 huggingface.co/settings/tokens 创建；只读即可。</translation>
    </message>
    <message>
        <source>A token is kept in the keyring of this computer.</source>
        <translation>令牌保存在这台电脑的密钥环中。</translation>
    </message>
    <message>
        <source>A token is kept in a file.</source>
        <translation>令牌保存在文件中。</translation>
    </message>
    <message>
        <source>A token is given by the environment.</source>
        <translation>令牌由环境变量给出。</translation>
    </message>
    <message>
        <source>Asking the keyring of this computer; it may want its password …</source>
        <translation>正在询问这台电脑的密钥环；它可能需要密码 …</translation>
    </message>
</context>
<context>
    <name>Verdict</name>
    <message>
        <source>Fits</source>
        <translation>放得下</translation>
    </message>
    <message>
        <source>Fits, with little to spare</source>
        <translation>放得下，余量很小</translation>
    </message>
    <message>
        <source>Fits with {layers} layers on the CPU</source>
        <translation>放得下，其中 {layers} 层在 CPU 上</translation>
    </message>
    <message>
        <source>Fits with the experts of {blocks} layers on the CPU</source>
        <translation>放得下，{blocks} 层的专家在 CPU 上</translation>
    </message>
    <message>
        <source>Fits with parts of {blocks} layers on the CPU</source>
        <translation>放得下，{blocks} 层的一部分在 CPU 上</translation>
    </message>
    <message>
        <source>Does not fit: {size} GiB more needed</source>
        <translation>放不下：还需要 {size} GiB</translation>
    </message>
    <message>
        <source>Fits, but slow</source>
        <translation>放得下，但较慢</translation>
    </message>
    <message>
        <source>Fits, but not this context</source>
        <translation>放得下，但上下文不够</translation>
    </message>
    <message>
        <source>Cannot be used</source>
        <translation>无法使用</translation>
    </message>
    <message>
        <source>Partly on the CPU</source>
        <translation>部分在 CPU 上</translation>
    </message>
    <message>
        <source>Little to spare</source>
        <translation>余量很小</translation>
    </message>
    <message>
        <source>{size} GiB more needed</source>
        <translation>还需要 {size} GiB</translation>
    </message>
    <message>
        <source>Slow</source>
        <translation>较慢</translation>
    </message>
    <message>
        <source>Not this context</source>
        <translation>上下文不够</translation>
    </message>
</context>
<context>
    <name>WelcomeView</name>
    <message>
        <source>Back</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Just chat</source>
        <translation>直接对话</translation>
    </message>
    <message>
        <source>Skip the introduction</source>
        <translation>跳过介绍</translation>
    </message>
    <message>
        <source>Welcome to Snug</source>
        <translation>欢迎使用 Snug</translation>
    </message>
    <message>
        <source>A private assistant that runs on this computer alone. First, this is what it has to work with:</source>
        <translation>只在这台电脑上运行的私人助手。先看看它可以使用的硬件：</translation>
    </message>
    <message>
        <source>Looking at this machine …</source>
        <translation>正在查看这台电脑 …</translation>
    </message>
    <message>
        <source>What suits this machine</source>
        <translation>什么适合这台电脑</translation>
    </message>
    <message>
        <source>The best model that really fits, with room to spare for your other programs:</source>
        <translation>真正放得下、并为其他程序留有余量的最佳模型：</translation>
    </message>
    <message>
        <source>Working it out …</source>
        <translation>正在计算 …</translation>
    </message>
    <message>
        <source>Start right away</source>
        <translation>马上开始</translation>
    </message>
    <message>
        <source>A small model came with Snug, so that you can chat at once and without a network.</source>
        <translation>Snug 自带一个小模型，无需网络即可马上对话。</translation>
    </message>
    <message>
        <source>Graphics card</source>
        <translation>显卡</translation>
    </message>
    <message>
        <source>none found: models run in main memory</source>
        <translation>未找到：模型在内存中运行</translation>
    </message>
    <message>
        <source>{name} · {cores} cores</source>
        <translation>{name} · {cores} 核</translation>
    </message>
    <message>
        <source>{total}, {free} free</source>
        <translation>{total}，可用 {free}</translation>
    </message>
    <message>
        <source>{free} free</source>
        <translation>可用 {free}</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>处理器</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>磁盘</translation>
    </message>
    <message>
        <source>What fits is not known yet. The Models page looks again.</source>
        <translation>还不知道什么放得下。“模型”页会重新查看。</translation>
    </message>
    <message>
        <source>The built-in model</source>
        <translation>内置模型</translation>
    </message>
    <message>
        <source>Nothing larger fits with room to spare right now.</source>
        <translation>目前没有更大的模型能宽裕放下。</translation>
    </message>
    <message>
        <source>{size} memory</source>
        <translation>内存 {size}</translation>
    </message>
    <message>
        <source>about {low}–{high} tok/s (estimate)</source>
        <translation>约 {low}–{high} tok/s（估计）</translation>
    </message>
    <message>
        <source>You can choose another model at any time on the Models page.</source>
        <translation>你可以随时在“模型”页选择其他模型。</translation>
    </message>
    <message>
        <source>{name} is a download of {size} from {publisher} ({licence}). Snug says when it is ready, and you can stop it at any time.</source>
        <translation>{name} 来自 {publisher}（{licence}），需下载 {size}。就绪后 Snug 会提示，你可以随时停止。</translation>
    </message>
    <message>
        <source>{step} of {count}</source>
        <translation>第 {step} / {count} 步</translation>
    </message>
    <message>
        <source>Chat now, download the better one meanwhile</source>
        <translation>现在就对话，同时下载更好的模型</translation>
    </message>
    <message>
        <source>Start to chat</source>
        <translation>开始对话</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>下一步</translation>
    </message>
</context>
<context>
    <name>core</name>
    <message>
        <source>The model catalog {path} cannot be read: {reason}</source>
        <translation>无法读取模型目录 {path}：{reason}</translation>
    </message>
    <message>
        <source>Install Snug again to bring the catalog back. Models on this disk still work.</source>
        <translation>重新安装 Snug 可恢复目录。磁盘上的模型仍可使用。</translation>
    </message>
    <message>
        <source>The name &quot;{name}&quot; is not safe to use as a file name.</source>
        <translation>名称“{name}”不能安全地用作文件名。</translation>
    </message>
    <message>
        <source>Choose another file or another source. Nothing was written.</source>
        <translation>请选择其他文件或来源。没有写入任何内容。</translation>
    </message>
    <message>
        <source>The network is switched off.</source>
        <translation>网络已关闭。</translation>
    </message>
    <message>
        <source>Turn off &quot;No network&quot; in the settings, or unset HF_HUB_OFFLINE.</source>
        <translation>请在设置中关闭“不使用网络”，或取消设置 HF_HUB_OFFLINE。</translation>
    </message>
    <message>
        <source>The address of the Hub, &quot;{endpoint}&quot;, is not a web address.</source>
        <translation>Hub 的地址“{endpoint}”不是网址。</translation>
    </message>
    <message>
        <source>Correct it in the settings or in HF_ENDPOINT; it begins with https://.</source>
        <translation>请在设置或 HF_ENDPOINT 中更正；它应以 https:// 开头。</translation>
    </message>
    <message>
        <source>{endpoint} cannot be reached: {reason}</source>
        <translation>无法连接 {endpoint}：{reason}</translation>
    </message>
    <message>
        <source>Check the network connection, then try again; the settings can name a mirror.</source>
        <translation>请检查网络连接后重试；也可以在设置中指定镜像。</translation>
    </message>
    <message>
        <source>The Hub does not have {what}, or does not show it to you.</source>
        <translation>Hub 上没有 {what}，或不对你公开。</translation>
    </message>
    <message>
        <source>The Hub does not let you have {what}.</source>
        <translation>Hub 不允许你获取 {what}。</translation>
    </message>
    <message>
        <source>The Hub is busy and asks to wait {seconds} seconds.</source>
        <translation>Hub 繁忙，请等待 {seconds} 秒。</translation>
    </message>
    <message>
        <source>Check the name. For a private repository, give a token in the settings or in HF_TOKEN.</source>
        <translation>请检查名称。如果是私有仓库，请在设置或 HF_TOKEN 中提供令牌。</translation>
    </message>
    <message>
        <source>time-out</source>
        <translation>超时</translation>
    </message>
    <message>
        <source>{endpoint} answered, but not as the Hub does.</source>
        <translation>{endpoint} 有应答，但不是 Hub 的应答。</translation>
    </message>
    <message>
        <source>A network may want you to log in first: open any page in a browser, then try again. If a mirror is set, check its address in the settings.</source>
        <translation>网络可能要求先登录：请在浏览器中打开任意网页，然后重试。如果设置了镜像，请检查设置中的地址。</translation>
    </message>
    <message>
        <source>{endpoint} sent a web page instead of what was asked for.</source>
        <translation>{endpoint} 返回的是一个网页，而不是所请求的内容。</translation>
    </message>
    <message>
        <source>The network here seems to want a log-in: open any page in a browser, log in, then try again. If a mirror is set, check its address in the settings.</source>
        <translation>当前网络似乎要求先登录：请在浏览器中打开任意网页并登录，然后重试。如果设置了镜像，请检查设置中的地址。</translation>
    </message>
    <message>
        <source>{endpoint} does not answer, but leads to {other}, which was not asked.</source>
        <translation>{endpoint} 没有应答，而是指向 {other}；未向后者发出请求。</translation>
    </message>
    <message>
        <source>The network here may want a log-in: open any page in a browser, log in, then try again. If the mirror has moved, give its new address in the settings or in HF_ENDPOINT.</source>
        <translation>当前网络可能要求先登录：请在浏览器中打开任意网页并登录，然后重试。如果镜像已迁移，请在设置或 HF_ENDPOINT 中填写新地址。</translation>
    </message>
    <message>
        <source>{endpoint} answered with an error (HTTP {status}).</source>
        <translation>{endpoint} 返回了错误（HTTP {status}）。</translation>
    </message>
    <message>
        <source>The fault is not on this computer. Try again in a few minutes; the settings can name a mirror.</source>
        <translation>问题不在这台电脑上。请过几分钟再试；也可在设置中填写镜像。</translation>
    </message>
    <message>
        <source>{endpoint} cannot be asked: a SOCKS proxy is set, which Snug cannot use.</source>
        <translation>无法访问 {endpoint}：设置了 Snug 不能使用的 SOCKS 代理。</translation>
    </message>
    <message>
        <source>Set HTTPS_PROXY to an HTTP proxy (http://host:port) and unset ALL_PROXY, then start Snug again.</source>
        <translation>请把 HTTPS_PROXY 设为 HTTP 代理（http://host:port）并取消 ALL_PROXY，然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>{endpoint} cannot be asked: the address of the proxy that is set is wrong.</source>
        <translation>无法访问 {endpoint}：所设代理的地址有误。</translation>
    </message>
    <message>
        <source>Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY (http://host:port), then start Snug again.</source>
        <translation>请更正 HTTPS_PROXY、HTTP_PROXY 或 ALL_PROXY（http://host:port），然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>{endpoint} cannot be reached over the proxy {proxy}: {reason}</source>
        <translation>无法通过代理 {proxy} 连接 {endpoint}：{reason}</translation>
    </message>
    <message>
        <source>Correct or unset HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, then start Snug again; or start the proxy.</source>
        <translation>请更正或取消设置 HTTPS_PROXY、HTTP_PROXY 或 ALL_PROXY，然后重新启动 Snug；或者启动该代理。</translation>
    </message>
    <message>
        <source>{endpoint} cannot be asked: the certificates that are set cannot be read.</source>
        <translation>无法访问 {endpoint}：所设的证书无法读取。</translation>
    </message>
    <message>
        <source>Correct or unset SSL_CERT_FILE and SSL_CERT_DIR, then start Snug again.</source>
        <translation>请更正或取消 SSL_CERT_FILE 和 SSL_CERT_DIR，然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>{endpoint} is not trusted: its certificate is none that this computer knows.</source>
        <translation>{endpoint} 不受信任：这台电脑不认识它的证书。</translation>
    </message>
    <message>
        <source>Check the clock, and whether a network here asks for a log-in. Where a company&apos;s proxy looks into connections, name its certificates in SSL_CERT_FILE, then start Snug again.</source>
        <translation>请检查时钟，以及当前网络是否需要登录。如果公司的代理会检查连接，请在 SSL_CERT_FILE 中指定它的证书，然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>Check the name. Your token was not sent; if this is a private repository: the settings say why.</source>
        <translation>请检查名称。你的令牌没有发送；如果这是私有仓库，设置中说明了原因。</translation>
    </message>
    <message>
        <source>Accept the licence on {page}, then give a token of your account in the settings or in HF_TOKEN.</source>
        <translation>请先在 {page} 上接受许可，然后在设置或 HF_TOKEN 中提供你账户的令牌。</translation>
    </message>
    <message>
        <source>{endpoint} does not let you have {what}. Your token was not sent to it, for it is not huggingface.co.</source>
        <translation>{endpoint} 不允许你获取 {what}。由于它不是 huggingface.co，你的令牌没有发送给它。</translation>
    </message>
    <message>
        <source>If you trust it, turn on &quot;Send the token to a mirror&quot; in the settings (network.token_to_mirror), then try again.</source>
        <translation>如果你信任它，请在设置中打开“把令牌发给镜像”（network.token_to_mirror），然后重试。</translation>
    </message>
    <message>
        <source>{endpoint} does not let you have {what}. Your token was not sent: the way there is not encrypted.</source>
        <translation>{endpoint} 不允许你获取 {what}。你的令牌没有发送：到那里的连接未加密。</translation>
    </message>
    <message>
        <source>Name an address that begins with https:// in the settings or in HF_ENDPOINT.</source>
        <translation>请在设置或 HF_ENDPOINT 中填写以 https:// 开头的地址。</translation>
    </message>
    <message>
        <source>The Hub does not let you have {what}. Your token was not sent: the keyring did not tell it.</source>
        <translation>Hub 不允许你获取 {what}。你的令牌没有发送：密钥环没有给出它。</translation>
    </message>
    <message>
        <source>Unlock the keyring of this computer (look for a window that asks for its password), then try again; or set HF_TOKEN.</source>
        <translation>请解锁这台电脑的密钥环（找找要求输入密码的窗口），然后重试；或设置 HF_TOKEN。</translation>
    </message>
    <message>
        <source>The variable HF_TOKEN is not a token of the Hub.</source>
        <translation>变量 HF_TOKEN 不是 Hub 的令牌。</translation>
    </message>
    <message>
        <source>Unset it, or copy the token whole from huggingface.co/settings/tokens, then start Snug again.</source>
        <translation>请取消它，或从 huggingface.co/settings/tokens 完整复制令牌，然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>Try again later. With a token, in the settings or in HF_TOKEN, more requests are allowed.</source>
        <translation>请稍后再试。在设置或 HF_TOKEN 中提供令牌后，允许的请求更多。</translation>
    </message>
    <message>
        <source>{file} cannot be checked: the Hub names no SHA-256 for it.</source>
        <translation>无法校验 {file}：Hub 没有给出它的 SHA-256。</translation>
    </message>
    <message>
        <source>Choose a file that is kept in Git LFS, or another mirror.</source>
        <translation>请选择存放在 Git LFS 中的文件，或换一个镜像。</translation>
    </message>
    <message>
        <source>{repo} has no file in {quantization}.</source>
        <translation>{repo} 没有 {quantization} 的文件。</translation>
    </message>
    <message>
        <source>Did you mean {similar}?</source>
        <translation>您是指 {similar} 吗？</translation>
    </message>
    <message>
        <source>{what} has changed on the Hub since it was chosen.</source>
        <translation>自选择以来，{what} 在 Hub 上已有更改。</translation>
    </message>
    <message>
        <source>Try again to download it as it is now; what came of the old file is of no use.</source>
        <translation>请重试以下载现在的版本；旧文件已下载的部分已无用。</translation>
    </message>
    <message>
        <source>{repo} has several files in {quantization}.</source>
        <translation>{repo} 有多个 {quantization} 的文件。</translation>
    </message>
    <message>
        <source>Name one of them: {files}.</source>
        <translation>请指明其中一个：{files}。</translation>
    </message>
    <message>
        <source>{host} sends only whole files, so the header of {file} cannot be read alone.</source>
        <translation>{host} 只能发送整个文件，无法单独读取 {file} 的文件头。</translation>
    </message>
    <message>
        <source>Download the model, or name another mirror in the settings.</source>
        <translation>请下载该模型，或在设置中换一个镜像。</translation>
    </message>
    <message>
        <source>The answer to the request for {file} cannot be right: {what}.</source>
        <translation>对 {file} 的请求得到的回答不可能正确：{what}。</translation>
    </message>
    <message>
        <source>Check whether a network here asks for a log-in, then try again; the settings can name a mirror.</source>
        <translation>请检查当前网络是否需要登录，然后重试；也可以在设置中指定镜像。</translation>
    </message>
    <message>
        <source>The address that the Hub gives for {file} is not valid any more.</source>
        <translation>Hub 为 {file} 给出的地址已失效。</translation>
    </message>
    <message>
        <source>Check the clock of this computer, then try again.</source>
        <translation>请检查这台电脑的时钟，然后重试。</translation>
    </message>
    <message>
        <source>This conversation is still being answered.</source>
        <translation>这个对话仍在回答中。</translation>
    </message>
    <message>
        <source>Wait for the reply, or stop it.</source>
        <translation>请等待回复，或停止它。</translation>
    </message>
    <message>
        <source>The context is full, so the reply ends here.</source>
        <translation>上下文已满，回复到此为止。</translation>
    </message>
    <message>
        <source>Load the model with a longer context, or begin a new conversation.</source>
        <translation>请用更长的上下文加载模型，或开始新对话。</translation>
    </message>
    <message>
        <source>The reply ended without a reason.</source>
        <translation>回复无故结束。</translation>
    </message>
    <message>
        <source>What came so far is kept. Continue the reply, or ask again.</source>
        <translation>已生成的内容已保留。可以继续回复，或重新提问。</translation>
    </message>
    <message>
        <source>This conversation no longer exists.</source>
        <translation>这个对话已不存在。</translation>
    </message>
    <message>
        <source>Choose another one, or begin a new one.</source>
        <translation>请选择另一个，或开始新对话。</translation>
    </message>
    <message>
        <source>This message no longer exists.</source>
        <translation>这条消息已不存在。</translation>
    </message>
    <message>
        <source>Open the conversation again to see what is there.</source>
        <translation>请重新打开对话查看内容。</translation>
    </message>
    <message>
        <source>There is nothing to answer: the prompt is empty.</source>
        <translation>没有可回答的内容：提示为空。</translation>
    </message>
    <message>
        <source>Give a prompt, as in: snug chat &quot;Why is the sky blue?&quot;</source>
        <translation>请给出提示，例如：snug chat &quot;天空为什么是蓝色的？&quot;</translation>
    </message>
    <message>
        <source>{path} is damaged or is not a database of Snug: {reason}</source>
        <translation>{path} 已损坏或不是 Snug 的数据库：{reason}</translation>
    </message>
    <message>
        <source>The file was left as it is. Move it away to start afresh, or put back a copy from &quot;{backups}&quot;.</source>
        <translation>文件保持原样。可将它移走重新开始，或从“{backups}”放回副本。</translation>
    </message>
    <message>
        <source>{path} was written by a newer version of Snug (format {found}, known: {known}).</source>
        <translation>{path} 由更新版本的 Snug 写入（格式 {found}，已知：{known}）。</translation>
    </message>
    <message>
        <source>Install the newest version of Snug. Nothing in the file was changed.</source>
        <translation>请安装最新版 Snug。文件内容没有改动。</translation>
    </message>
    <message>
        <source>Another program has been writing to {path} for more than {seconds} seconds.</source>
        <translation>另一个程序写入 {path} 已超过 {seconds} 秒。</translation>
    </message>
    <message>
        <source>Close other copies of Snug, then try again. Nothing was lost.</source>
        <translation>请关闭其他 Snug 后重试。没有丢失任何内容。</translation>
    </message>
    <message>
        <source>SQLite {found} can damage databases; {wanted} or newer is needed.</source>
        <translation>SQLite {found} 可能损坏数据库；需要 {wanted} 或更新版本。</translation>
    </message>
    <message>
        <source>Install Snug again with its own dependencies (apsw-sqlite3mc).</source>
        <translation>请连同其依赖（apsw-sqlite3mc）重新安装 Snug。</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>llama.cpp loads in its own process</source>
        <translation>llama.cpp 能在自己的进程中加载</translation>
    </message>
    <message>
        <source>llama.cpp, version {version}</source>
        <translation>llama.cpp，版本 {version}</translation>
    </message>
    <message>
        <source>not asked</source>
        <translation>未询问</translation>
    </message>
    <message>
        <source>no graphics card with memory of its own</source>
        <translation>没有独立显存的显卡</translation>
    </message>
    <message>
        <source>the engine did not answer</source>
        <translation>引擎没有响应</translation>
    </message>
    <message>
        <source>not used, because the engine has no device for it: {names}</source>
        <translation>未使用，因为引擎没有对应的设备：{names}</translation>
    </message>
    <message>
        <source>Update the driver of the card: the engine is built for it, but does not see it.</source>
        <translation>请更新显卡驱动：引擎支持它，但看不到它。</translation>
    </message>
    <message>
        <source>Build the engine for it: make run BACKEND={backend}</source>
        <translation>请为它构建引擎：make run BACKEND={backend}</translation>
    </message>
    <message>
        <source>Starter model</source>
        <translation>入门模型</translation>
    </message>
    <message>
        <source>a small model that comes with the set-up</source>
        <translation>安装时自带的小模型</translation>
    </message>
    <message>
        <source>missing</source>
        <translation>缺失</translation>
    </message>
    <message>
        <source>GPU offload</source>
        <translation>GPU 卸载</translation>
    </message>
    <message>
        <source>the engine uses every graphics card</source>
        <translation>引擎使用每一张显卡</translation>
    </message>
    <message>
        <source>no graphics card</source>
        <translation>没有显卡</translation>
    </message>
    <message>
        <source>no card tells</source>
        <translation>没有显卡报告</translation>
    </message>
    <message>
        <source>{name} was lost: it does not answer any more, as happens after sleep</source>
        <translation>{name} 已丢失：不再响应，睡眠唤醒后会出现这种情况</translation>
    </message>
    <message>
        <source>{name} has to be reset before it can be used</source>
        <translation>{name} 需要复位后才能使用</translation>
    </message>
    <message>
        <source>this user may not use {name}</source>
        <translation>当前用户无权使用 {name}</translation>
    </message>
    <message>
        <source>{name} does not tell how much memory it has</source>
        <translation>{name} 没有报告显存大小</translation>
    </message>
    <message>
        <source>{name} does not answer: {detail}</source>
        <translation>{name} 没有响应：{detail}</translation>
    </message>
    <message>
        <source>Restart the computer. If it comes back after sleep: sudo systemctl enable nvidia-suspend nvidia-resume nvidia-hibernate, and update the driver. Without sleep: check the card&apos;s power cables and its seat.</source>
        <translation>请重启电脑。如果睡眠后再次出现：sudo systemctl enable nvidia-suspend nvidia-resume nvidia-hibernate，并更新驱动。如果与睡眠无关：检查显卡的供电线和插槽。</translation>
    </message>
    <message>
        <source>Restart the computer (not: shut down and start, which keeps the driver&apos;s state). If it comes back after sleep, update the driver and turn off Link State Power Management in the power plan. Without sleep: check the card&apos;s power cables and its seat.</source>
        <translation>请重启电脑（不要用关机再开机，那样会保留驱动的状态）。如果睡眠后再次出现，请更新驱动，并在电源计划中关闭“链接状态电源管理”。如果与睡眠无关：检查显卡的供电线和插槽。</translation>
    </message>
    <message>
        <source>Restart the computer, or close every program on the card and run: sudo nvidia-smi -r</source>
        <translation>请重启电脑，或关闭使用该显卡的所有程序并运行：sudo nvidia-smi -r</translation>
    </message>
    <message>
        <source>Restart the computer.</source>
        <translation>请重启电脑。</translation>
    </message>
    <message>
        <source>Let this user use the card: sudo usermod -aG video,render $USER, then log out and in. In a container: start it with the card (docker run --gpus all).</source>
        <translation>让当前用户可以使用显卡：sudo usermod -aG video,render $USER，然后注销并重新登录。在容器中：启动时带上显卡（docker run --gpus all）。</translation>
    </message>
    <message>
        <source>Ask an administrator of this computer for access to the card.</source>
        <translation>请让这台电脑的管理员授予显卡的访问权限。</translation>
    </message>
    <message>
        <source>Restart the computer. If that does not help, install the driver anew.</source>
        <translation>请重启电脑。如果无效，请重新安装驱动。</translation>
    </message>
    <message>
        <source>Graphics cards</source>
        <translation>显卡</translation>
    </message>
    <message>
        <source>all of them answer, after sleep too</source>
        <translation>全部有响应，睡眠之后也一样</translation>
    </message>
    <message>
        <source>{name} works, but its driver asks for a reset of the card</source>
        <translation>{name} 可以工作，但驱动要求复位显卡</translation>
    </message>
    <message>
        <source>on the bus, but not known to the driver: {names}</source>
        <translation>在总线上，但驱动不认识：{names}</translation>
    </message>
    <message>
        <source>every card answers</source>
        <translation>所有显卡都有响应</translation>
    </message>
    <message>
        <source>AMD&apos;s driver (amdgpu) is a part of Linux: install the system&apos;s updates and the card&apos;s firmware (linux-firmware, on Debian firmware-amd-graphics), take nomodeset off the kernel&apos;s command line, then restart. A newer card may need a newer kernel; one from before 2012 has only the old driver radeon, which the engine cannot use.</source>
        <translation>AMD 的驱动（amdgpu）是 Linux 的一部分：请安装系统更新和显卡固件（linux-firmware，Debian 上为 firmware-amd-graphics），从内核命令行中去掉 nomodeset，然后重新启动。较新的显卡可能需要较新的内核；2012 年以前的显卡只有旧驱动 radeon，引擎无法使用。</translation>
    </message>
    <message>
        <source>Intel&apos;s driver (i915, for newer cards xe) is a part of Linux: install the system&apos;s updates and the card&apos;s firmware (linux-firmware), take nomodeset off the kernel&apos;s command line, then restart. A newer card may need a newer kernel.</source>
        <translation>Intel 的驱动（i915，较新的显卡为 xe）是 Linux 的一部分：请安装系统更新和显卡固件（linux-firmware），从内核命令行中去掉 nomodeset，然后重新启动。较新的显卡可能需要较新的内核。</translation>
    </message>
    <message>
        <source>Throttling</source>
        <translation>降频</translation>
    </message>
    <message>
        <source>not because of heat or of missing power</source>
        <translation>没有因过热或供电不足而降频</translation>
    </message>
    <message>
        <source>not now</source>
        <translation>当前没有</translation>
    </message>
    <message>
        <source>{name} is at its power limit, as is normal under full load</source>
        <translation>{name} 已达到功耗上限，满载时属正常</translation>
    </message>
    <message>
        <source>Clean the fans and filters, give the card room for air, or lower its power limit a little.</source>
        <translation>请清洁风扇和滤网，给显卡留出散热空间，或略微降低其功耗上限。</translation>
    </message>
    <message>
        <source>{name} is slowed because it is hot</source>
        <translation>{name} 因过热而降频</translation>
    </message>
    <message>
        <source>{name} is slowed because it is hot ({celsius:.0f} °C)</source>
        <translation>{name} 因过热而降频（{celsius:.0f} °C）</translation>
    </message>
    <message>
        <source>{name} is slowed by its hardware: too little power, or too hot</source>
        <translation>{name} 被硬件降频：供电不足或过热</translation>
    </message>
    <message>
        <source>Check that every power cable of the card is plugged in, each from the power supply itself, and that the supply is strong enough. A laptop: plug in its own charger.</source>
        <translation>请检查显卡的每根供电线都已插好、都直接来自电源，并且电源功率足够。笔记本电脑：请插上原装充电器。</translation>
    </message>
    <message>
        <source>Errors in card memory</source>
        <translation>显存错误</translation>
    </message>
    <message>
        <source>the memory of {name} is failing: no spare rows are left</source>
        <translation>{name} 的显存正在损坏：已没有备用行</translation>
    </message>
    <message>
        <source>Have the card replaced: its maker&apos;s warranty covers this.</source>
        <translation>请更换显卡：这属于厂商保修范围。</translation>
    </message>
    <message>
        <source>{name}: {count} errors that could not be corrected</source>
        <translation>{name}：{count} 个无法纠正的错误</translation>
    </message>
    <message>
        <source>no card counts them (ECC)</source>
        <translation>没有显卡统计此类错误（ECC）</translation>
    </message>
    <message>
        <source>none that could not be corrected</source>
        <translation>没有无法纠正的错误</translation>
    </message>
    <message>
        <source>Divided cards</source>
        <translation>显卡切分</translation>
    </message>
    <message>
        <source>a model may use the whole card</source>
        <translation>模型可以使用整张显卡</translation>
    </message>
    <message>
        <source>no card can be divided (MIG)</source>
        <translation>没有可切分的显卡（MIG）</translation>
    </message>
    <message>
        <source>no</source>
        <translation>无</translation>
    </message>
    <message>
        <source>If nobody else needs the card in parts: sudo nvidia-smi -i {index} -mig 0, then restart.</source>
        <translation>如果没有别人需要切分使用：sudo nvidia-smi -i {index} -mig 0，然后重启。</translation>
    </message>
    <message>
        <source>{name} is to be divided (MIG) and has no parts, so no model can use it</source>
        <translation>{name} 已设为切分（MIG）但没有任何分区，模型无法使用它</translation>
    </message>
    <message>
        <source>{name} is divided (MIG): a model gets {part} of its {whole}</source>
        <translation>{name} 已切分（MIG）：模型只能使用 {whole} 中的 {part}</translation>
    </message>
    <message>
        <source>on</source>
        <translation>开启</translation>
    </message>
    <message>
        <source>Turn on &quot;Resizable BAR&quot; and &quot;Above 4G decoding&quot; in the firmware (BIOS) settings. Models then load a little faster; answers do not change.</source>
        <translation>请在固件（BIOS）设置中打开“Resizable BAR”和“Above 4G decoding”。模型加载会略快一些，回答速度不变。</translation>
    </message>
    <message>
        <source>off for {names}: the processor sees {window} of {memory} at a time</source>
        <translation>{names} 未开启：处理器一次只能看到 {memory} 中的 {window}</translation>
    </message>
    <message>
        <source>PCIe width</source>
        <translation>PCIe 通道数</translation>
    </message>
    <message>
        <source>Move the card to the slot nearest the processor, and reseat it and its riser. Loading a model gets faster; answers from a model that fits on the card do not change.</source>
        <translation>请把显卡换到最靠近处理器的插槽，并重新插好显卡和转接线。模型加载会更快；能装进显卡的模型回答速度不变。</translation>
    </message>
    <message>
        <source>{name}: x{width}, of x{most} that card and slot could do</source>
        <translation>{name}：x{width}，显卡和插槽可达 x{most}</translation>
    </message>
    <message>
        <source>PCIe generation</source>
        <translation>PCIe 代数</translation>
    </message>
    <message>
        <source>under load, the best that card and slot can do</source>
        <translation>负载下达到显卡和插槽的最高水平</translation>
    </message>
    <message>
        <source>{name}: generation {now} of {most} under load</source>
        <translation>{name}：负载下为第 {now} 代，最高第 {most} 代</translation>
    </message>
    <message>
        <source>{name}: generation {now} of {most} now; an idle card saves power, so look while a model answers</source>
        <translation>{name}：当前第 {now} 代，最高第 {most} 代；空闲的显卡会省电，请在模型回答时再看</translation>
    </message>
    <message>
        <source>{name}: generation {most}</source>
        <translation>{name}：第 {most} 代</translation>
    </message>
    <message>
        <source>Set the slot&apos;s PCIe speed to automatic in the firmware (BIOS) settings, and try without a riser cable. Loading a model gets faster; answers from a model that fits on the card do not change.</source>
        <translation>请在固件（BIOS）设置中把该插槽的 PCIe 速度设为自动，并尝试不用转接线。模型加载会更快；能装进显卡的模型回答速度不变。</translation>
    </message>
    <message>
        <source>From card to card</source>
        <translation>显卡之间</translation>
    </message>
    <message>
        <source>nothing: any way will do for a split by layers</source>
        <translation>无要求：按层分配时任何方式都可以</translation>
    </message>
    <message>
        <source>fewer than two cards</source>
        <translation>少于两张显卡</translation>
    </message>
    <message>
        <source>directly, over NVLink</source>
        <translation>通过 NVLink 直接传输</translation>
    </message>
    <message>
        <source>directly, over PCIe</source>
        <translation>通过 PCIe 直接传输</translation>
    </message>
    <message>
        <source>through main memory (the driver of most GeForce cards allows no other way); a split by layers loses little, because only some kilobytes per token go from card to card</source>
        <translation>经由内存（大多数 GeForce 显卡的驱动只允许这样）；按层分配损失很小，因为每个 token 只有几 KB 在显卡之间传输</translation>
    </message>
    <message>
        <source>off for {names}</source>
        <translation>{names} 未开启</translation>
    </message>
    <message>
        <source>Resizable BAR</source>
        <translation>Resizable BAR</translation>
    </message>
    <message>
        <source>{name}: x{width}</source>
        <translation>{name}：x{width}</translation>
    </message>
    <message>
        <source>at least {lanes} lanes</source>
        <translation>至少 {lanes} 条通道</translation>
    </message>
    <message>
        <source>Vulkan</source>
        <translation>Vulkan</translation>
    </message>
    <message>
        <source>the loader and a driver for the card</source>
        <translation>加载器和显卡的驱动</translation>
    </message>
    <message>
        <source>the engine was not built for Vulkan</source>
        <translation>引擎没有编译 Vulkan 支持</translation>
    </message>
    <message>
        <source>its loader did not answer</source>
        <translation>其加载器没有应答</translation>
    </message>
    <message>
        <source>its loader is not installed</source>
        <translation>没有安装加载器</translation>
    </message>
    <message>
        <source>its loader is installed</source>
        <translation>已安装加载器</translation>
    </message>
    <message>
        <source>loader and drivers are installed: {names}</source>
        <translation>加载器和驱动均已安装：{names}</translation>
    </message>
    <message>
        <source>only drivers that compute on the processor: {names}</source>
        <translation>只有在处理器上计算的驱动：{names}</translation>
    </message>
    <message>
        <source>the loader is installed, and no driver</source>
        <translation>已安装加载器，但没有驱动</translation>
    </message>
    <message>
        <source>Install the newest driver of the card: it brings Vulkan.</source>
        <translation>请安装最新的显卡驱动：其中包含 Vulkan。</translation>
    </message>
    <message>
        <source>Install the Vulkan loader: sudo apt install libvulkan1 (on Fedora vulkan-loader, on Arch vulkan-icd-loader).</source>
        <translation>请安装 Vulkan 加载器：sudo apt install libvulkan1（Fedora 为 vulkan-loader，Arch 为 vulkan-icd-loader）。</translation>
    </message>
    <message>
        <source>Install the card&apos;s Vulkan driver: sudo apt install mesa-vulkan-drivers for AMD and Intel; NVIDIA&apos;s own driver brings it.</source>
        <translation>请安装显卡的 Vulkan 驱动：AMD 和 Intel 用 sudo apt install mesa-vulkan-drivers；NVIDIA 的驱动自带。</translation>
    </message>
    <message>
        <source>Look again. If it stays like this, the log has the details.</source>
        <translation>请重新查看。如果仍然如此，日志中有详细信息。</translation>
    </message>
    <message>
        <source>Hardware</source>
        <translation>硬件</translation>
    </message>
    <message>
        <source>read completely</source>
        <translation>已完整读取</translation>
    </message>
    <message>
        <source>every source answers in time</source>
        <translation>每个来源都及时响应</translation>
    </message>
    <message>
        <source>AVX2, FMA and F16C, or NEON on ARM</source>
        <translation>AVX2、FMA 和 F16C，ARM 上为 NEON</translation>
    </message>
    <message>
        <source>{name} does not tell</source>
        <translation>{name} 没有说明</translation>
    </message>
    <message>
        <source>Build the engine on this machine (make run does), and choose small models.</source>
        <translation>请在这台电脑上构建引擎（make run 会做），并选择小模型。</translation>
    </message>
    <message>
        <source>{name} has no AVX2</source>
        <translation>{name} 没有 AVX2</translation>
    </message>
    <message>
        <source>{name} has AVX2, but {missing} are hidden from this system</source>
        <translation>{name} 有 AVX2，但系统看不到 {missing}</translation>
    </message>
    <message>
        <source>Let the virtual machine see the whole processor (its CPU type: &quot;host&quot;).</source>
        <translation>请让虚拟机看到完整的处理器（CPU 类型设为“host”）。</translation>
    </message>
    <message>
        <source>{name}, {cores} cores, {sets}</source>
        <translation>{name}，{cores} 核，{sets}</translation>
    </message>
    <message>
        <source>Engine build</source>
        <translation>引擎编译</translation>
    </message>
    <message>
        <source>the instruction sets of this processor</source>
        <translation>使用这个处理器的指令集</translation>
    </message>
    <message>
        <source>the engine or the processor does not tell</source>
        <translation>引擎或处理器没有说明</translation>
    </message>
    <message>
        <source>it does not use {missed} of this processor</source>
        <translation>没有使用这个处理器的 {missed}</translation>
    </message>
    <message>
        <source>Build the engine on this machine (make run does): answers come faster.</source>
        <translation>请在这台机器上编译引擎（make run 会这样做）：回答会更快。</translation>
    </message>
    <message>
        <source>uses all that matters; of {unused} only long prompts would profit</source>
        <translation>重要的都用上了；{unused} 只对长提示词有好处</translation>
    </message>
    <message>
        <source>uses everything the processor has</source>
        <translation>处理器的功能全部用上了</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>处理器</translation>
    </message>
    <message>
        <source>{available:.1f} of {total:.1f} GiB available</source>
        <translation>可用 {available:.1f} / {total:.1f} GiB</translation>
    </message>
    <message>
        <source>{available:.1f} of {total:.1f} GiB available (a container&apos;s limit; the machine has {machine:.1f} GiB)</source>
        <translation>可用 {available:.1f} / {total:.1f} GiB（容器限制；整机有 {machine:.1f} GiB）</translation>
    </message>
    <message>
        <source>Choose models below 3B, or close other programs.</source>
        <translation>请选择 3B 以下的模型，或关闭其他程序。</translation>
    </message>
    <message>
        <source>Main memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>at least {wanted:.0f} GiB</source>
        <translation>至少 {wanted:.0f} GiB</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>{used:.1f} of {total:.1f} GiB in use</source>
        <translation>已用 {used:.1f} / {total:.1f} GiB</translation>
    </message>
    <message>
        <source>Close other programs before you load a large model.</source>
        <translation>加载大模型前请关闭其他程序。</translation>
    </message>
    <message>
        <source>Swap</source>
        <translation>交换空间</translation>
    </message>
    <message>
        <source>not told</source>
        <translation>未说明</translation>
    </message>
    <message>
        <source>Close other programs: little memory is left.</source>
        <translation>请关闭其他程序：剩余内存很少。</translation>
    </message>
    <message>
        <source>Raise the container&apos;s limit (docker run --memory), or choose models below 3B.</source>
        <translation>请提高容器的限制（docker run --memory），或选择小于 3B 的模型。</translation>
    </message>
    <message>
        <source>less than half in use</source>
        <translation>使用不到一半</translation>
    </message>
    <message>
        <source>Choose another folder for models in the settings.</source>
        <translation>请在设置中选择另一个模型文件夹。</translation>
    </message>
    <message>
        <source>Disk space</source>
        <translation>磁盘空间</translation>
    </message>
    <message>
        <source>Connect the disk or the network again, or choose another folder for models in the settings.</source>
        <translation>请重新连接磁盘或网络，或在设置中选择另一个模型文件夹。</translation>
    </message>
    <message>
        <source>{free:.1f} GiB free for {path}</source>
        <translation>{path} 可用 {free:.1f} GiB</translation>
    </message>
    <message>
        <source>{path} is in memory, so models are gone after a restart</source>
        <translation>{path} 位于内存中，重启后模型就没有了</translation>
    </message>
    <message>
        <source>Free some space, or choose another folder for models in the settings.</source>
        <translation>请释放一些空间，或在设置中为模型选择其他文件夹。</translation>
    </message>
    <message>
        <source>Disk speed</source>
        <translation>磁盘速度</translation>
    </message>
    <message>
        <source>reads at least {wanted:.0f} MB/s</source>
        <translation>读取至少 {wanted:.0f} MB/s</translation>
    </message>
    <message>
        <source>not known: {file_system} answers from its own cache what was just written</source>
        <translation>未知：{file_system} 会用自己的缓存回应刚写入的内容</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>未测量</translation>
    </message>
    <message>
        <source>reads {read:,.0f} MB/s, writes {write:,.0f} MB/s: a model of 5 GB takes about {seconds:.0f} s the first time</source>
        <translation>读取 {read:,.0f} MB/s，写入 {write:,.0f} MB/s：5 GB 的模型首次加载约需 {seconds:.0f} 秒</translation>
    </message>
    <message>
        <source>The folder is on the network: choose one on this computer in the settings.</source>
        <translation>该文件夹在网络上：请在设置中选择这台电脑上的文件夹。</translation>
    </message>
    <message>
        <source>Choose a folder on an SSD in the settings, or look whether another program keeps the disk busy now. Only loading is slow, not the answers.</source>
        <translation>请在设置中选择固态硬盘上的文件夹，或看看是否有别的程序正在占用磁盘。只有加载慢，回答不受影响。</translation>
    </message>
    <message>
        <source>the disk with {path} does not answer</source>
        <translation>{path} 所在的磁盘没有响应</translation>
    </message>
    <message>
        <source>at least {wanted:.0f} GiB free</source>
        <translation>至少可用 {wanted:.0f} GiB</translation>
    </message>
    <message>
        <source>NVIDIA driver</source>
        <translation>NVIDIA 驱动</translation>
    </message>
    <message>
        <source>535 or newer</source>
        <translation>535 或更新</translation>
    </message>
    <message>
        <source>Install driver {version} or newer from your system&apos;s packages (on Ubuntu: sudo ubuntu-drivers install), then restart.</source>
        <translation>请从系统软件源安装 {version} 或更新的驱动（Ubuntu：sudo ubuntu-drivers install），然后重启。</translation>
    </message>
    <message>
        <source>Install driver {version} or newer from nvidia.com or with the NVIDIA app, then restart.</source>
        <translation>请从 nvidia.com 或用 NVIDIA 应用安装 {version} 或更新的驱动，然后重启。</translation>
    </message>
    <message>
        <source>Restart the computer: a driver that was just updated needs it. If that does not help, install it anew. Where it is a matter of permission: sudo usermod -aG video,render $USER and log in again; in a container, start it with the card (docker run --gpus all).</source>
        <translation>请重启电脑：刚更新的驱动需要重启。如果无效，请重新安装。如果是权限问题：sudo usermod -aG video,render $USER 并重新登录；在容器中，启动时带上显卡（docker run --gpus all）。</translation>
    </message>
    <message>
        <source>it runs, but no card answers it</source>
        <translation>驱动在运行，但没有显卡响应</translation>
    </message>
    <message>
        <source>{name}, without a working driver</source>
        <translation>{name}，没有可用的驱动</translation>
    </message>
    <message>
        <source>no NVIDIA card</source>
        <translation>没有 NVIDIA 显卡</translation>
    </message>
    <message>
        <source>a driver that does not tell its version</source>
        <translation>驱动没有报告版本</translation>
    </message>
    <message>
        <source>{version}; an engine built with CUDA {cuda} starts from {oldest} on</source>
        <translation>{version}；用 CUDA {cuda} 编译的引擎需要 {oldest} 或更新</translation>
    </message>
    <message>
        <source>CUDA</source>
        <translation>CUDA</translation>
    </message>
    <message>
        <source>a driver for the CUDA that the engine was built with</source>
        <translation>与引擎编译所用 CUDA 相配的驱动</translation>
    </message>
    <message>
        <source>the driver does not tell which CUDA it supports</source>
        <translation>驱动没有说明支持哪个 CUDA</translation>
    </message>
    <message>
        <source>the engine was built with CUDA {built}, the driver supports {supported}</source>
        <translation>引擎用 CUDA {built} 编译，驱动支持 {supported}</translation>
    </message>
    <message>
        <source>Install driver {version} or newer, or build the engine with CUDA {supported}.</source>
        <translation>请安装 {version} 或更新的驱动，或用 CUDA {supported} 编译引擎。</translation>
    </message>
    <message>
        <source>the engine does not tell which CUDA it was built with</source>
        <translation>引擎没有说明用哪个 CUDA 编译</translation>
    </message>
    <message>
        <source>the engine was not built for CUDA</source>
        <translation>引擎没有编译 CUDA 支持</translation>
    </message>
    <message>
        <source>{name} has compute capability {capability}; the engine was built for {oldest} and newer</source>
        <translation>{name} 的计算能力为 {capability}；引擎编译为支持 {oldest} 及以上</translation>
    </message>
    <message>
        <source>Build the engine on this machine (make run BACKEND=cuda). CUDA 13 has nothing for cards before 7.5: use CUDA 12, or BACKEND=vulkan.</source>
        <translation>请在这台机器上编译引擎（make run BACKEND=cuda）。CUDA 13 不支持 7.5 之前的显卡：请用 CUDA 12，或 BACKEND=vulkan。</translation>
    </message>
    <message>
        <source>cuDNN</source>
        <translation>cuDNN</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>无要求</translation>
    </message>
    <message>
        <source>not required: llama.cpp does not use it</source>
        <translation>不需要：llama.cpp 不使用它</translation>
    </message>
    <message>
        <source>the connection broke</source>
        <translation>连接中断</translation>
    </message>
    <message>
        <source>nothing came for {seconds} s</source>
        <translation>{seconds} 秒内没有收到数据</translation>
    </message>
    <message>
        <source>no whole answer to the request came within {seconds} s</source>
        <translation>{seconds} 秒内没有收到对请求的完整应答</translation>
    </message>
    <message>
        <source>the connection ended too early</source>
        <translation>连接过早结束</translation>
    </message>
    <message>
        <source>the server is busy (HTTP {status})</source>
        <translation>服务器繁忙（HTTP {status}）</translation>
    </message>
    <message>
        <source>the server gave an odd answer ({what})</source>
        <translation>服务器的回答异常（{what}）</translation>
    </message>
    <message>
        <source>The connection broke. Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>连接中断。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>Nothing came for {seconds} s. Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>{seconds} 秒内没有收到数据。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>No whole answer to the request came within {seconds} s. Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>{seconds} 秒内没有收到对请求的完整应答。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>The connection ended too early. Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>连接过早结束。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>The server is busy (HTTP {status}). Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>服务器繁忙（HTTP {status}）。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>The server gave an odd answer ({what}). Trying again in {wait} s (attempt {attempt} of {attempts}).</source>
        <translation>服务器的回答异常（{what}）。{wait} 秒后重试（第 {attempt} / {attempts} 次）。</translation>
    </message>
    <message>
        <source>Another download of this file is under way.</source>
        <translation>此文件正在由另一个下载任务下载。</translation>
    </message>
    <message>
        <source>Reading what is already there.</source>
        <translation>正在读取已有的部分。</translation>
    </message>
    <message>
        <source>What was kept of an earlier download is damaged: starting again from the beginning.</source>
        <translation>以前下载保留下来的部分已损坏：从头开始。</translation>
    </message>
    <message>
        <source>The server cannot go on from the middle: starting again from the beginning.</source>
        <translation>服务器不支持断点续传：从头开始。</translation>
    </message>
    <message>
        <source>{file} arrived damaged: its SHA-256 is not the one the Hub names.</source>
        <translation>{file} 下载后已损坏：SHA-256 与 Hub 给出的不符。</translation>
    </message>
    <message>
        <source>The damaged file was removed. Download it again; if that does not help, try a mirror.</source>
        <translation>损坏的文件已移除。请重新下载；如果没有帮助，请换一个镜像。</translation>
    </message>
    <message>
        <source>{file} could not be downloaded, after {attempts} attempts: {reason}</source>
        <translation>尝试 {attempts} 次后仍无法下载 {file}：{reason}</translation>
    </message>
    <message>
        <source>What came so far is kept. Start the download again to go on from there.</source>
        <translation>已下载的部分已保留。重新开始下载即可继续。</translation>
    </message>
    <message>
        <source>Nothing of it could be kept. Try again later, or choose a mirror.</source>
        <translation>已下载的内容无法保留。请稍后重试，或选择一个镜像。</translation>
    </message>
    <message>
        <source>The disk with {path} is too full: {need} more are needed, {free} are free.</source>
        <translation>{path} 所在的磁盘空间不足：还需要 {need}，可用 {free}。</translation>
    </message>
    <message>
        <source>Free some space or choose another folder, then go on. What came so far is kept.</source>
        <translation>请释放空间或选择其他文件夹后继续。已下载的部分已保留。</translation>
    </message>
    <message>
        <source>The unfinished file {path} was removed or replaced while it was downloaded.</source>
        <translation>未完成的文件 {path} 在下载过程中被删除或替换。</translation>
    </message>
    <message>
        <source>Start the download again; it begins anew.</source>
        <translation>请重新开始下载；将从头下载。</translation>
    </message>
    <message>
        <source>The disk with {path} cannot hold a file of {size}.</source>
        <translation>{path} 所在的磁盘无法存放 {size} 的文件。</translation>
    </message>
    <message>
        <source>Choose a models folder on a disk that is formatted for large files.</source>
        <translation>请把模型文件夹设在支持大文件的磁盘上。</translation>
    </message>
    <message>
        <source>The download of {model} was stopped.</source>
        <translation>{model} 的下载已停止。</translation>
    </message>
    <message>
        <source>Start it again whenever you like.</source>
        <translation>可以随时重新开始。</translation>
    </message>
    <message>
        <source>There is not enough memory on {device} for this model.</source>
        <translation>{device} 的内存不足以加载此模型。</translation>
    </message>
    <message>
        <source>Choose a shorter context, fewer layers on the GPU or a smaller quantization, or close other programs.</source>
        <translation>请缩短上下文、减少 GPU 上的层数、选择更小的量化，或关闭其他程序。</translation>
    </message>
    <message>
        <source>The model file {path} is not there any more.</source>
        <translation>模型文件 {path} 已不存在。</translation>
    </message>
    <message>
        <source>Download the model again, or put the file back.</source>
        <translation>请重新下载模型，或放回文件。</translation>
    </message>
    <message>
        <source>{path} is not a model file (GGUF).</source>
        <translation>{path} 不是模型文件（GGUF）。</translation>
    </message>
    <message>
        <source>Choose a file that ends in .gguf and was downloaded completely.</source>
        <translation>请选择以 .gguf 结尾且已完整下载的文件。</translation>
    </message>
    <message>
        <source>{path} is damaged or incomplete.</source>
        <translation>{path} 已损坏或不完整。</translation>
    </message>
    <message>
        <source>Download the model again; the download checks every byte.</source>
        <translation>请重新下载模型；下载会校验每个字节。</translation>
    </message>
    <message>
        <source>This engine does not know models of the kind “{architecture}”.</source>
        <translation>此引擎不支持“{architecture}”类模型。</translation>
    </message>
    <message>
        <source>Choose another model, or update the program: new kinds come with new engines.</source>
        <translation>请选择其他模型或更新程序：新引擎会支持新的种类。</translation>
    </message>
    <message>
        <source>The device {device}, which the plan for this model uses, is not there.</source>
        <translation>此模型的计划所用的设备 {device} 不存在。</translation>
    </message>
    <message>
        <source>Let the program plan again for the devices at hand, or check the driver.</source>
        <translation>请让程序按现有设备重新规划，或检查驱动。</translation>
    </message>
    <message>
        <source>The other machine at {endpoint} does not answer.</source>
        <translation>位于 {endpoint} 的另一台电脑没有响应。</translation>
    </message>
    <message>
        <source>Check that it is switched on and shares its devices, or plan without it.</source>
        <translation>请确认它已开机并共享设备，或不使用它重新规划。</translation>
    </message>
    <message>
        <source>This model carries no chat template, so it cannot hold a conversation.</source>
        <translation>此模型没有对话模板，无法进行对话。</translation>
    </message>
    <message>
        <source>Choose an instruction-tuned model: its name often ends in Instruct or Chat.</source>
        <translation>请选择经过指令微调的模型：名称通常以 Instruct 或 Chat 结尾。</translation>
    </message>
    <message>
        <source>The model&apos;s chat template cannot be used: {reason}</source>
        <translation>无法使用模型的对话模板：{reason}</translation>
    </message>
    <message>
        <source>Choose another file of this model, from its publisher if possible.</source>
        <translation>请选择此模型的其他文件，最好来自发布者。</translation>
    </message>
    <message>
        <source>The conversation needs {needed} tokens, but the model&apos;s context holds {available}.</source>
        <translation>对话需要 {needed} 个 token，但模型的上下文只能容纳 {available} 个。</translation>
    </message>
    <message>
        <source>No model is loaded.</source>
        <translation>未加载模型。</translation>
    </message>
    <message>
        <source>Load a model first.</source>
        <translation>请先加载模型。</translation>
    </message>
    <message>
        <source>The engine cannot do what it was asked for: {reason}</source>
        <translation>引擎无法完成请求：{reason}</translation>
    </message>
    <message>
        <source>This is a fault of the program. Please report it with the log.</source>
        <translation>这是程序的错误。请附上日志报告。</translation>
    </message>
    <message>
        <source>The grammar or JSON schema for this reply cannot be used: {reason}</source>
        <translation>无法使用此回复的语法或 JSON 模式：{reason}</translation>
    </message>
    <message>
        <source>Correct the grammar or schema, or ask without it.</source>
        <translation>请更正语法或模式，或不带它再问一次。</translation>
    </message>
    <message>
        <source>The attached file cannot be used: {reason}</source>
        <translation>无法使用所附的文件：{reason}</translation>
    </message>
    <message>
        <source>Attach a JPEG, PNG, WAV or MP3 file, and use a model that can see or hear.</source>
        <translation>请附上 JPEG、PNG、WAV 或 MP3 文件，并使用能看图或听音频的模型。</translation>
    </message>
    <message>
        <source>The engine is busy: {waiting} requests wait already.</source>
        <translation>引擎正忙：已有 {waiting} 个请求在等待。</translation>
    </message>
    <message>
        <source>Try again when some of them are answered.</source>
        <translation>请在其中一些得到回答后再试。</translation>
    </message>
    <message>
        <source>The loaded model is not made for this: {reason}</source>
        <translation>已加载的模型不适合此用途：{reason}</translation>
    </message>
    <message>
        <source>Load a model that is made for it.</source>
        <translation>请加载适合此用途的模型。</translation>
    </message>
    <message>
        <source>The graphics driver was reset while the engine used {device}.</source>
        <translation>引擎使用 {device} 时，显卡驱动被重置。</translation>
    </message>
    <message>
        <source>If it happens again, update the driver or put fewer layers on the GPU.</source>
        <translation>如果再次发生，请更新驱动程序，或减少 GPU 上的层数。</translation>
    </message>
    <message>
        <source>The engine belongs to another version of this program.</source>
        <translation>引擎属于此程序的另一个版本。</translation>
    </message>
    <message>
        <source>Install the program again, so that all its parts are of one version.</source>
        <translation>请重新安装程序，使各部分版本一致。</translation>
    </message>
    <message>
        <source>The engine cannot be started: {reason}</source>
        <translation>无法启动引擎：{reason}</translation>
    </message>
    <message>
        <source>Run the set-up again: its part that builds llama-cpp-python did not finish.</source>
        <translation>请重新运行安装：构建 llama-cpp-python 的部分没有完成。</translation>
    </message>
    <message>
        <source>The engine was built for another processor and cannot run on this one.</source>
        <translation>引擎是为另一种处理器构建的，无法在此运行。</translation>
    </message>
    <message>
        <source>Build it on this machine: run the set-up again.</source>
        <translation>请在这台电脑上构建：重新运行安装。</translation>
    </message>
    <message>
        <source>The engine crashed (it used memory that is not its own).</source>
        <translation>引擎崩溃（访问了不属于它的内存）。</translation>
    </message>
    <message>
        <source>If it happens again, choose another file or driver.</source>
        <translation>如果再次发生，请换一个文件或驱动。</translation>
    </message>
    <message>
        <source>The engine gave up: {reason}</source>
        <translation>引擎放弃了：{reason}</translation>
    </message>
    <message>
        <source>If it happens again, try fewer layers on the GPU.</source>
        <translation>如果再次发生，请减少 GPU 上的层数。</translation>
    </message>
    <message>
        <source>The engine was killed by the system or by another program.</source>
        <translation>引擎被系统或其他程序终止。</translation>
    </message>
    <message>
        <source>If nobody ended it on purpose, close other programs, or choose a smaller model or context.</source>
        <translation>如果不是有意结束的，请关闭其他程序，或选择更小的模型或更短的上下文。</translation>
    </message>
    <message>
        <source>The system ended the engine, because the memory ran out.</source>
        <translation>内存耗尽，系统终止了引擎。</translation>
    </message>
    <message>
        <source>Close other programs, or choose a smaller model or context.</source>
        <translation>请关闭其他程序，或选择更小的模型或上下文。</translation>
    </message>
    <message>
        <source>The engine did not answer any more and was ended.</source>
        <translation>引擎不再响应，已被结束。</translation>
    </message>
    <message>
        <source>If it happens again, update the graphics driver.</source>
        <translation>如果再次发生，请更新显卡驱动。</translation>
    </message>
    <message>
        <source>The engine ended unexpectedly (exit code {code}): {reason}</source>
        <translation>引擎意外结束（退出码 {code}）：{reason}</translation>
    </message>
    <message>
        <source>If it happens again, look into the log.</source>
        <translation>如果再次发生，请查看日志。</translation>
    </message>
    <message>
        <source>The model could not be loaded: {reason}</source>
        <translation>无法加载模型：{reason}</translation>
    </message>
    <message>
        <source>Try another file or a shorter context. The log has the engine&apos;s own words.</source>
        <translation>请尝试其他文件或更短的上下文。日志中有引擎的原话。</translation>
    </message>
    <message>
        <source>Loading was cancelled.</source>
        <translation>加载已取消。</translation>
    </message>
    <message>
        <source>Load the model again when you need it.</source>
        <translation>需要时请重新加载模型。</translation>
    </message>
    <message>
        <source>The request was cancelled.</source>
        <translation>请求已取消。</translation>
    </message>
    <message>
        <source>Ask again when you need the answer.</source>
        <translation>需要答案时请再问一次。</translation>
    </message>
    <message>
        <source>The engine failed inside: {reason}</source>
        <translation>引擎内部出错：{reason}</translation>
    </message>
    <message>
        <source>Try again. If it happens again, please report it with the log.</source>
        <translation>请重试。如果再次发生，请附上日志报告。</translation>
    </message>
    <message>
        <source>The engine on this machine was built for the processor only.</source>
        <translation>这台电脑上的引擎只为处理器构建。</translation>
    </message>
    <message>
        <source>The engine does not see this card: its driver is missing or too old.</source>
        <translation>引擎看不到这张显卡：驱动缺失或太旧。</translation>
    </message>
    <message>
        <source>The engine on this machine was built for cards of another maker.</source>
        <translation>这台机器上的引擎是为另一家厂商的显卡编译的。</translation>
    </message>
    <message>
        <source>An environment variable such as CUDA_VISIBLE_DEVICES hides this card from the engine.</source>
        <translation>CUDA_VISIBLE_DEVICES 之类的环境变量对引擎隐藏了这张显卡。</translation>
    </message>
    <message>
        <source>Integrated graphics is left to the screen while a card with memory of its own is there.</source>
        <translation>有独立显存的显卡时，核显留给屏幕使用。</translation>
    </message>
    <message>
        <source>This card is set to be divided (MIG) and has no parts.</source>
        <translation>这张显卡已设为切分（MIG），但没有任何分区。</translation>
    </message>
    <message>
        <source>Something went wrong: {reason}</source>
        <translation>出错了：{reason}</translation>
    </message>
    <message>
        <source>Try again. If it happens again, look into the log.</source>
        <translation>请重试。如果再次发生，请查看日志。</translation>
    </message>
    <message>
        <source>{reason}</source>
        <translation>{reason}</translation>
    </message>
    <message>
        <source>Run &quot;snug --help&quot; to see what there is.</source>
        <translation>运行“snug --help”查看可用命令。</translation>
    </message>
    <message>
        <source>{path} cannot be read: {reason}</source>
        <translation>无法读取 {path}：{reason}</translation>
    </message>
    <message>
        <source>Check that the file is there and that you may read it.</source>
        <translation>请确认文件存在且你有权读取。</translation>
    </message>
    <message>
        <source>The disk with {path} is full.</source>
        <translation>{path} 所在的磁盘已满。</translation>
    </message>
    <message>
        <source>Free some space or choose another folder, then try again. Nothing was lost.</source>
        <translation>请释放空间或选择其他文件夹后重试。没有丢失任何内容。</translation>
    </message>
    <message>
        <source>{path} could not be saved: {reason}</source>
        <translation>无法保存 {path}：{reason}</translation>
    </message>
    <message>
        <source>Check that you may write to this folder. The old file is unchanged.</source>
        <translation>请确认你有权写入此文件夹。旧文件没有改动。</translation>
    </message>
    <message>
        <source>{model} with a context of {context} tokens needs {need} on {device}, where {free} may be used.</source>
        <translation>{model} 使用 {context} 个 token 的上下文在 {device} 上需要 {need}，可用 {free}。</translation>
    </message>
    <message>
        <source>Choose a smaller quantization or a smaller model, or close other programs.</source>
        <translation>请选择更小的量化或更小的模型，或关闭其他程序。</translation>
    </message>
    <message>
        <source>A context of {alternative} tokens fits. Or choose a smaller quantization or a smaller model.</source>
        <translation>{alternative} 个 token 的上下文放得下。也可以选择更小的量化或更小的模型。</translation>
    </message>
    <message>
        <source>With a graphics card of {size}, {model} in {quantization} would come first, at about {speed} tokens per second.</source>
        <translation>如果有 {size} 的显卡，{quantization} 的 {model} 会排在第一，约每秒 {speed} 个 token。</translation>
    </message>
    <message>
        <source>With {size} more graphics memory, {model} in {quantization} would come first, at about {speed} tokens per second.</source>
        <translation>如果多 {size} 显存，{quantization} 的 {model} 会排在第一，约每秒 {speed} 个 token。</translation>
    </message>
    <message>
        <source>If {speed} tokens per second were enough, {model} in {quantization} would come first.</source>
        <translation>如果每秒 {speed} 个 token 就够，{quantization} 的 {model} 会排在第一。</translation>
    </message>
    <message>
        <source>Speeds are estimates from memory bandwidths that are usual for such hardware; they were not measured here.</source>
        <translation>速度是按此类硬件常见的内存带宽估计的，并非在此实测。</translation>
    </message>
    <message>
        <source>No graphics card is used, so models run from main memory on the processor; smaller models write faster.</source>
        <translation>没有使用显卡，模型在内存中由处理器运行；模型越小写得越快。</translation>
    </message>
    <message>
        <source>No model of the catalog fits at {context} tokens of context and {minimum} tokens per second.</source>
        <translation>目录中没有模型能满足 {context} 个 token 的上下文和每秒 {minimum} 个 token。</translation>
    </message>
    <message>
        <source>The engine was not asked yet which graphics cards it can use; this takes all of them for usable.</source>
        <translation>尚未询问引擎能使用哪些显卡；这里假定全部可用。</translation>
    </message>
    <message>
        <source>All {count} layers are on {device}.</source>
        <translation>全部 {count} 层都在 {device} 上。</translation>
    </message>
    <message>
        <source>All {count} layers are on graphics cards, split as {parts}.</source>
        <translation>全部 {count} 层都在显卡上，分配为 {parts}。</translation>
    </message>
    <message>
        <source>{offloaded} of {count} layers are on graphics cards ({parts}); the rest is on the processor and slower.</source>
        <translation>{count} 层中的 {offloaded} 层在显卡上（{parts}）；其余在处理器上，较慢。</translation>
    </message>
    <message>
        <source>The context was lowered from {wanted} to {context} tokens, so that everything fits into memory.</source>
        <translation>上下文从 {wanted} 降到 {context} 个 token，以便全部放进内存。</translation>
    </message>
    <message>
        <source>With a KV cache in q8_0, {context} tokens would fit; it loses very little with this model.</source>
        <translation>KV 缓存改用 q8_0 就能装下 {context} 个 token；对这个模型损失很小。</translation>
    </message>
    <message>
        <source>One card is faster here than several, and it has room for the whole model.</source>
        <translation>在这里一张显卡比多张更快，而且它放得下整个模型。</translation>
    </message>
    <message>
        <source>The experts of {blocks} layers stay on the processor, which is faster here than moving whole layers there.</source>
        <translation>{blocks} 层的专家留在处理器上，这样比把整层移过去更快。</translation>
    </message>
    <message>
        <source>The feed-forward steps of {blocks} layers stay on the processor, which is faster here than moving whole layers there.</source>
        <translation>{blocks} 层的前馈部分留在处理器上，这样比把整层移过去更快。</translation>
    </message>
    <message>
        <source>It does not fit with its margin; it was planned exactly as asked.</source>
        <translation>在留出余量的情况下放不下；已完全按要求规划。</translation>
    </message>
    <message>
        <source>The model was trained for {trained} tokens; with a longer context its answers get worse.</source>
        <translation>模型按 {trained} 个 token 训练；上下文更长时回答会变差。</translation>
    </message>
    <message>
        <source>Replies come one at a time: with this model each further one would need memory of its own.</source>
        <translation>回复将逐条生成：对此模型，每多一条同时进行的回复都需要额外的内存。</translation>
    </message>
    <message>
        <source>Weights and KV cache are computed exactly; the compute buffers are a careful estimate.</source>
        <translation>权重和 KV 缓存为精确计算；计算缓冲区为谨慎的估计。</translation>
    </message>
    <message>
        <source>Models of the Gemma family lose much quality with a quantized KV cache.</source>
        <translation>Gemma 系列模型使用量化的 KV 缓存会损失较多质量。</translation>
    </message>
    <message>
        <source>The most capable model of the catalog that fits here and writes at least {speed} tokens per second.</source>
        <translation>目录中放得下且每秒至少写 {speed} 个 token 的最强模型。</translation>
    </message>
    <message>
        <source>Less capable than {better}, by size and generation.</source>
        <translation>按规模和代次，能力低于 {better}。</translation>
    </message>
    <message>
        <source>Only fits with much loss, so a smaller model with less loss is placed before it.</source>
        <translation>只有在损失较大时才放得下，因此损失更小的小模型排在它前面。</translation>
    </message>
    <message>
        <source>Another file of {model}, which is already in this list as {quantization}.</source>
        <translation>{model} 的另一个文件，列表中已有 {quantization}。</translation>
    </message>
    <message>
        <source>{quantization} is lossless in practice.</source>
        <translation>{quantization} 实际上无损。</translation>
    </message>
    <message>
        <source>{quantization} is near-lossless.</source>
        <translation>{quantization} 近乎无损。</translation>
    </message>
    <message>
        <source>Compressed as {quantization} it stays good.</source>
        <translation>压缩为 {quantization}，质量保持良好。</translation>
    </message>
    <message>
        <source>Compressed as {quantization} it loses some quality, to an acceptable degree.</source>
        <translation>压缩为 {quantization}，质量有所损失，但可以接受。</translation>
    </message>
    <message>
        <source>Compressed as {quantization} it loses much quality.</source>
        <translation>压缩为 {quantization}，质量损失很大。</translation>
    </message>
    <message>
        <source>{quantization} would lose less, but write only about {speed} tokens per second.</source>
        <translation>{quantization} 损失更少，但每秒只能写约 {speed} 个 token。</translation>
    </message>
    <message>
        <source>{quantization} would lose less, but needs {missing} more memory.</source>
        <translation>{quantization} 损失更少，但还需要 {missing} 内存。</translation>
    </message>
    <message>
        <source>{quantization} would lose a little less, but is only just fast enough: about {speed} tokens per second.</source>
        <translation>{quantization} 损失略少，但速度只是勉强够：约每秒 {speed} 个 token。</translation>
    </message>
    <message>
        <source>{quantization} would lose less, but some of its layers would have to stay on the slower processor.</source>
        <translation>{quantization} 损失更少，但部分层只能留在较慢的处理器上。</translation>
    </message>
    <message>
        <source>Needs {need} of main memory; {free} may be used.</source>
        <translation>需要内存 {need}；可用 {free}。</translation>
    </message>
    <message>
        <source>Needs {need} on {devices}; beyond the safety margin {spare} stay free.</source>
        <translation>在 {devices} 上需要 {need}；除安全余量外仍空余 {spare}。</translation>
    </message>
    <message>
        <source>{offloaded} of {count} layers are on graphics cards, the rest on the processor, which is slower.</source>
        <translation>{count} 层中的 {offloaded} 层在显卡上，其余在较慢的处理器上。</translation>
    </message>
    <message>
        <source>About {low} to {high} tokens per second: an estimate until it was measured on this machine.</source>
        <translation>约每秒 {low} 到 {high} 个 token：在这台电脑上实测之前为估计。</translation>
    </message>
    <message>
        <source>About {low} to {high} tokens per second, from what was measured on this machine.</source>
        <translation>根据本机实测，约每秒 {low} 到 {high} 个 token。</translation>
    </message>
    <message>
        <source>Thinks before it answers, so the first word of an answer comes later.</source>
        <translation>回答前会先思考，因此首字出现较晚。</translation>
    </message>
    <message>
        <source>Trained for programming more than for conversation.</source>
        <translation>更侧重编程而非对话。</translation>
    </message>
    <message>
        <source>{model} would be more capable, but needs {missing} more memory.</source>
        <translation>{model} 能力更强，但还需要 {missing} 内存。</translation>
    </message>
    <message>
        <source>{model} would be more capable, but would write only about {speed} tokens per second.</source>
        <translation>{model} 能力更强，但每秒只能写约 {speed} 个 token。</translation>
    </message>
    <message>
        <source>The file has {size}, and the disk has only {free} left.</source>
        <translation>文件大小为 {size}，而磁盘只剩 {free}。</translation>
    </message>
    <message>
        <source>The size of the file is an estimate until the Hub was asked.</source>
        <translation>在询问 Hub 之前，文件大小为估计值。</translation>
    </message>
    <message>
        <source>Already on this computer.</source>
        <translation>已在这台电脑上。</translation>
    </message>
    <message>
        <source>{missing} of memory are missing.</source>
        <translation>内存缺 {missing}。</translation>
    </message>
    <message>
        <source>Would fit only just: {missing} of the safety margin are missing.</source>
        <translation>勉强放得下：安全余量缺 {missing}。</translation>
    </message>
    <message>
        <source>Would write only about {speed} tokens per second; {minimum} are wanted. This is an estimate.</source>
        <translation>每秒只能写约 {speed} 个 token，希望 {minimum} 个。这是估计。</translation>
    </message>
    <message>
        <source>Would write only about {speed} tokens per second; {minimum} are wanted.</source>
        <translation>每秒只能写约 {speed} 个 token，而希望有 {minimum} 个。</translation>
    </message>
    <message>
        <source>Was trained for {trained} tokens of context; {context} are wanted.</source>
        <translation>按 {trained} 个 token 的上下文训练；希望 {context} 个。</translation>
    </message>
    <message>
        <source>{path} is not a GGUF model file.</source>
        <translation>{path} 不是 GGUF 模型文件。</translation>
    </message>
    <message>
        <source>Choose a file that ends in .gguf, or download the model again.</source>
        <translation>请选择以 .gguf 结尾的文件，或重新下载模型。</translation>
    </message>
    <message>
        <source>{path} is a GGUF file that cannot be read here: {reason}.</source>
        <translation>{path} 是无法在此读取的 GGUF 文件：{reason}。</translation>
    </message>
    <message>
        <source>Update Snug, or choose another file of the same model.</source>
        <translation>请更新 Snug，或选择同一模型的其他文件。</translation>
    </message>
    <message>
        <source>{path} is incomplete: {reason}.</source>
        <translation>{path} 不完整：{reason}。</translation>
    </message>
    <message>
        <source>Download it again; most of it may still be used.</source>
        <translation>请重新下载；大部分内容可能仍可使用。</translation>
    </message>
    <message>
        <source>{path} is damaged: {reason}.</source>
        <translation>{path} 已损坏：{reason}。</translation>
    </message>
    <message>
        <source>Download it again, or choose a file from another publisher.</source>
        <translation>请重新下载，或选择其他发布者的文件。</translation>
    </message>
    <message>
        <source>The driver of {name} does not tell how much memory the card has.</source>
        <translation>{name} 的驱动没有说明显卡有多少内存。</translation>
    </message>
    <message>
        <source>The look at the hardware ended unexpectedly (exit code {code}).</source>
        <translation>查看硬件的过程意外结束（退出码 {code}）。</translation>
    </message>
    <message>
        <source>The look at the hardware did not end within {seconds:.0f} s.</source>
        <translation>查看硬件的过程在 {seconds:.0f} 秒内没有结束。</translation>
    </message>
    <message>
        <source>The look at the hardware failed: {reason}</source>
        <translation>查看硬件失败：{reason}</translation>
    </message>
    <message>
        <source>{name} is in this machine, but its driver does not answer.</source>
        <translation>这台电脑装有 {name}，但它的驱动没有响应。</translation>
    </message>
    <message>
        <source>{source} did not answer in time.</source>
        <translation>{source} 没有及时响应。</translation>
    </message>
    <message>
        <source>{source} failed: {reason}</source>
        <translation>{source} 失败：{reason}</translation>
    </message>
    <message>
        <source>The driver of {name} tells no size of its memory that can be true ({told} bytes). It is left out.</source>
        <translation>{name} 的驱动报告的显存大小不可能属实（{told} 字节），已忽略这张显卡。</translation>
    </message>
    <message>
        <source>The driver of {name} tells of its memory what cannot be ({told}). Snug counts on {free} of {total} bytes.</source>
        <translation>{name} 的驱动对显存的说法不可能属实（{told}）。Snug 按 {total} 字节中空闲 {free} 计算。</translation>
    </message>
    <message>
        <source>There is no model called &quot;{reference}&quot;.</source>
        <translation>没有名为“{reference}”的模型。</translation>
    </message>
    <message>
        <source>Run &quot;snug models&quot; to see what there is, or give the path of a GGUF file.</source>
        <translation>运行“snug models”查看可用模型，或给出 GGUF 文件的路径。</translation>
    </message>
    <message>
        <source>Did you mean {similar}? &quot;snug models&quot; shows everything there is.</source>
        <translation>你是指 {similar} 吗？“snug models”会列出全部。</translation>
    </message>
    <message>
        <source>&quot;{reference}&quot; may mean several models: {ids}.</source>
        <translation>“{reference}”可能指多个模型：{ids}。</translation>
    </message>
    <message>
        <source>Name one of them, as it is written here. Nothing was removed.</source>
        <translation>请按此处的写法指定其中一个。没有移除任何内容。</translation>
    </message>
    <message>
        <source>{model} does not come as {quantization}.</source>
        <translation>{model} 没有 {quantization} 版本。</translation>
    </message>
    <message>
        <source>Choose one of: {known}.</source>
        <translation>请选择其中之一：{known}。</translation>
    </message>
    <message>
        <source>The file of {model} is gone: {path}</source>
        <translation>{model} 的文件不见了：{path}</translation>
    </message>
    <message>
        <source>Connect the disk it is on, or download it again.</source>
        <translation>请连接它所在的磁盘，或重新下载。</translation>
    </message>
    <message>
        <source>Where the file of {model} was, there is a folder now: {path}</source>
        <translation>{model} 的文件原来的位置现在是一个文件夹：{path}</translation>
    </message>
    <message>
        <source>Move the folder away and put the file back, or download the model again.</source>
        <translation>请移走文件夹并放回文件，或重新下载模型。</translation>
    </message>
    <message>
        <source>The file of {model} has changed since Snug looked at it: {path}</source>
        <translation>{model} 的文件在 Snug 查看之后变过：{path}</translation>
    </message>
    <message>
        <source>Check it on the Models page or with &quot;snug verify&quot;; then it is used as it is.</source>
        <translation>请在“模型”页或用“snug verify”检查；之后就按现状使用。</translation>
    </message>
    <message>
        <source>The file of {model} is incomplete: {path}</source>
        <translation>{model} 的文件不完整：{path}</translation>
    </message>
    <message>
        <source>Download it again, or wait until the program that writes it is done.</source>
        <translation>请重新下载，或等写入它的程序结束。</translation>
    </message>
    <message>
        <source>The file of {model} is damaged: {path}</source>
        <translation>{model} 的文件已损坏：{path}</translation>
    </message>
    <message>
        <source>Remove it and download it again.</source>
        <translation>请移除并重新下载。</translation>
    </message>
    <message>
        <source>The name of {path} holds bytes that are no text.</source>
        <translation>{path} 的名称含有不是文本的字节。</translation>
    </message>
    <message>
        <source>Rename the file or its folder, then try again.</source>
        <translation>请重命名文件或其文件夹，然后重试。</translation>
    </message>
    <message>
        <source>{model} was not downloaded by Snug, so Snug does not remove it.</source>
        <translation>{model} 不是由 Snug 下载的，因此 Snug 不会移除它。</translation>
    </message>
    <message>
        <source>What comes with the set-up goes with it; other files you can delete yourself.</source>
        <translation>安装自带的文件随安装移除；其他文件可自行删除。</translation>
    </message>
    <message>
        <source>The starter model that comes with the set-up is missing.</source>
        <translation>安装自带的入门模型缺失。</translation>
    </message>
    <message>
        <source>Run &quot;make run&quot; again: it installs what is missing. Or download another model.</source>
        <translation>请重新运行“make run”：它会安装缺失的部分。或下载其他模型。</translation>
    </message>
    <message>
        <source>{name} is not on this disk yet.</source>
        <translation>{name} 还不在此磁盘上。</translation>
    </message>
    <message>
        <source>Download it on the Models page, or choose one that &quot;snug models&quot; shows as installed.</source>
        <translation>请在“模型”页下载，或选择“snug models”显示为已安装的模型。</translation>
    </message>
    <message>
        <source>General</source>
        <translation>常规</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>网络</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>{setting} cannot be {value}: {reason}</source>
        <translation>{setting} 不能为 {value}：{reason}</translation>
    </message>
    <message>
        <source>docs/settings.md lists what each setting can be.</source>
        <translation>docs/settings.md 列出了每项设置的取值。</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>The language of the window. It changes at the next start.</source>
        <translation>窗口的语言。下次启动时生效。</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Colours</source>
        <translation>颜色</translation>
    </message>
    <message>
        <source>Light or dark colours, or whatever the system uses.</source>
        <translation>浅色或深色，或跟随系统。</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Models folder</source>
        <translation>模型文件夹</translation>
    </message>
    <message>
        <source>Where downloaded models are kept. Empty means Snug&apos;s own data folder.</source>
        <translation>存放下载模型的位置。留空表示 Snug 自己的数据文件夹。</translation>
    </message>
    <message>
        <source>Model for new chats</source>
        <translation>新对话的模型</translation>
    </message>
    <message>
        <source>Which model is loaded when Snug starts. At first that is the built-in one.</source>
        <translation>Snug 启动时加载的模型。最初是内置模型。</translation>
    </message>
    <message>
        <source>Context length</source>
        <translation>上下文长度</translation>
    </message>
    <message>
        <source>How many tokens a conversation may hold. More context needs more memory.</source>
        <translation>一个对话可容纳多少个 token。上下文越长，需要的内存越多。</translation>
    </message>
    <message>
        <source>Slowest speed to recommend</source>
        <translation>推荐的最低速度</translation>
    </message>
    <message>
        <source>Models expected to write fewer tokens per second are not recommended.</source>
        <translation>预计每秒写得更少的模型不会被推荐。</translation>
    </message>
    <message>
        <source>Models of LM Studio</source>
        <translation>LM Studio 的模型</translation>
    </message>
    <message>
        <source>List what LM Studio has on this disk, where it is. Its files are never touched.</source>
        <translation>列出 LM Studio 在这块磁盘上的模型，就地使用。绝不改动它的文件。</translation>
    </message>
    <message>
        <source>Models of Jan</source>
        <translation>Jan 的模型</translation>
    </message>
    <message>
        <source>List what Jan has on this disk, where it is. Its files are never touched.</source>
        <translation>列出 Jan 在这块磁盘上的模型，就地使用。绝不改动它的文件。</translation>
    </message>
    <message>
        <source>Models of GPT4All</source>
        <translation>GPT4All 的模型</translation>
    </message>
    <message>
        <source>List what GPT4All has on this disk, where it is. Its files are never touched.</source>
        <translation>列出 GPT4All 在这块磁盘上的模型，就地使用。绝不改动它的文件。</translation>
    </message>
    <message>
        <source>Models of Ollama</source>
        <translation>Ollama 的模型</translation>
    </message>
    <message>
        <source>List what Ollama has on this disk, where it is. Its files are never touched.</source>
        <translation>列出 Ollama 在这块磁盘上的模型，就地使用。绝不改动它的文件。</translation>
    </message>
    <message>
        <source>Hugging Face cache</source>
        <translation>Hugging Face 缓存</translation>
    </message>
    <message>
        <source>List the GGUF files of the Hugging Face cache, where they are; never touched.</source>
        <translation>列出 Hugging Face 缓存中的 GGUF 文件，就地使用；绝不改动。</translation>
    </message>
    <message>
        <source>Downloads at once</source>
        <translation>同时下载</translation>
    </message>
    <message>
        <source>How many models are fetched at the same time; the others wait for their turn.</source>
        <translation>同时下载几个模型；其余的排队等候。</translation>
    </message>
    <message>
        <source>Hugging Face address</source>
        <translation>Hugging Face 地址</translation>
    </message>
    <message>
        <source>A mirror to download from. Empty means https://huggingface.co.</source>
        <translation>用于下载的镜像。留空表示 https://huggingface.co。</translation>
    </message>
    <message>
        <source>Send the token to a mirror</source>
        <translation>把令牌发给镜像</translation>
    </message>
    <message>
        <source>Whoever runs the mirror could then use your Hugging Face account. Off, only huggingface.co gets it.</source>
        <translation>这样镜像的运营者就能使用你的 Hugging Face 账户。关闭时只有 huggingface.co 会收到。</translation>
    </message>
    <message>
        <source>No network</source>
        <translation>不使用网络</translation>
    </message>
    <message>
        <source>Snug opens no connection at all while this is on.</source>
        <translation>开启时，Snug 不会建立任何连接。</translation>
    </message>
    <message>
        <source>Limit for downloads</source>
        <translation>下载限速</translation>
    </message>
    <message>
        <source>Bytes per second that all downloads take together. 0 is no limit.</source>
        <translation>所有下载合计每秒多少字节。0 表示不限。</translation>
    </message>
    <message>
        <source>Memory to leave free</source>
        <translation>保留的空闲内存</translation>
    </message>
    <message>
        <source>Bytes left free on each device, so that other programs find room.</source>
        <translation>在每个设备上保留的字节数，以便其他程序使用。</translation>
    </message>
    <message>
        <source>Check the memory before loading</source>
        <translation>加载前检查内存</translation>
    </message>
    <message>
        <source>A model that does not fit is refused, or loaded with a shorter context. Off: it is tried exactly as asked, which may fail or make the machine slow.</source>
        <translation>放不下的模型会被拒绝，或以较短的上下文加载。关闭后：完全按要求尝试，可能失败或使机器变慢。</translation>
    </message>
    <message>
        <source>KV cache</source>
        <translation>KV 缓存</translation>
    </message>
    <message>
        <source>How exactly the conversation is remembered: q8_0 needs half the memory and loses very little.</source>
        <translation>对话记忆的精确程度：q8_0 只需一半内存，损失极小。</translation>
    </message>
    <message>
        <source>Main memory for conversations</source>
        <translation>用于对话的内存</translation>
    </message>
    <message>
        <source>Bytes for conversations that wait, so that they need not be read again. 0: none.</source>
        <translation>为等待中的对话保留的字节数，使其无需重新读取。0 表示不保留。</translation>
    </message>
    <message>
        <source>Disk space for conversations</source>
        <translation>用于对话的磁盘空间</translation>
    </message>
    <message>
        <source>Bytes that let long conversations go on at once after a restart. 0: none, and what is there is removed.</source>
        <translation>使长对话在重启后能立即继续的字节数。0 表示不保留，并删除已有的内容。</translation>
    </message>
    <message>
        <source>CPU threads</source>
        <translation>CPU 线程数</translation>
    </message>
    <message>
        <source>How many processor threads the engine uses. 0 means one per physical core.</source>
        <translation>引擎使用的处理器线程数。0 表示每个物理核心一个。</translation>
    </message>
    <message>
        <source>Replies at the same time</source>
        <translation>同时进行的回复数</translation>
    </message>
    <message>
        <source>How many requests are answered at once; they share the context&apos;s memory.</source>
        <translation>同时回答多少个请求；它们共用上下文的内存。</translation>
    </message>
    <message>
        <source>Guess tokens ahead</source>
        <translation>提前猜测 token</translation>
    </message>
    <message>
        <source>Guesses words and lets the model check them: the same text, often sooner.</source>
        <translation>先猜测后面的词再由模型核对：文字相同，往往更快。</translation>
    </message>
    <message>
        <source>Where it helps</source>
        <translation>在有帮助时</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Low is precise, high is surprising. Used where the model&apos;s publisher says nothing.</source>
        <translation>低则准确，高则出人意料。在模型发布者没有建议时使用。</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Keeps the likeliest words up to this share. Used where the publisher says nothing.</source>
        <translation>保留合计达到此比例的最可能的词。在发布者没有建议时使用。</translation>
    </message>
    <message>
        <source>Max length</source>
        <translation>最大长度</translation>
    </message>
    <message>
        <source>The most new tokens of one reply. 0 means up to the end of the context.</source>
        <translation>一条回复最多新生成的 token 数。0 表示直到上下文末尾。</translation>
    </message>
    <message>
        <source>System prompt</source>
        <translation>系统提示词</translation>
    </message>
    <message>
        <source>What the model is told before each new conversation.</source>
        <translation>每个新对话开始前告诉模型的内容。</translation>
    </message>
    <message>
        <source>Enter sends</source>
        <translation>按 Enter 发送</translation>
    </message>
    <message>
        <source>Enter sends and Shift+Enter breaks the line; switched off, Ctrl+Enter sends.</source>
        <translation>Enter 发送，Shift+Enter 换行；关闭后用 Ctrl+Enter 发送。</translation>
    </message>
    <message>
        <source>The settings file could not be read ({reason}). Defaults are used.</source>
        <translation>无法读取设置文件（{reason}）。使用默认值。</translation>
    </message>
    <message>
        <source>The settings file could not be read ({reason}). Defaults are used; the old file was kept as {path}.</source>
        <translation>无法读取设置文件（{reason}）。使用默认值；旧文件已保留为 {path}。</translation>
    </message>
    <message>
        <source>The setting {setting} cannot be {value}. Its default is used until you change it.</source>
        <translation>设置 {setting} 不能为 {value}。在你更改之前使用默认值。</translation>
    </message>
    <message>
        <source>The system refused it: {reason}</source>
        <translation>系统拒绝了操作：{reason}</translation>
    </message>
    <message>
        <source>Check the disk, and where the output goes. --debug shows where it happened.</source>
        <translation>请检查磁盘和输出位置。--debug 会显示发生的位置。</translation>
    </message>
    <message>
        <source>Snug cannot keep its files in &quot;{folder}&quot;: {reason}</source>
        <translation>Snug 无法把文件保存在“{folder}”：{reason}</translation>
    </message>
    <message>
        <source>Set SNUG_HOME to the full path of a folder that you may write to.</source>
        <translation>请把 SNUG_HOME 设为你有权写入的文件夹的完整路径。</translation>
    </message>
    <message>
        <source>{model} needs {need} on {device}, but models may use only {budget} there.</source>
        <translation>{model} 在 {device} 上需要 {need}，但模型在那里最多只能使用 {budget}。</translation>
    </message>
    <message>
        <source>Choose a smaller model or context, or allow more memory for models.</source>
        <translation>请选择更小的模型或更短的上下文，或允许模型使用更多内存。</translation>
    </message>
    <message>
        <source>The engine is being shut down.</source>
        <translation>引擎正在关闭。</translation>
    </message>
    <message>
        <source>Ask again after the next start.</source>
        <translation>请在下次启动后再问。</translation>
    </message>
    <message>
        <source>The system does not let the engine keep the whole model in memory: parts of it may be swapped out.</source>
        <translation>系统不允许引擎把整个模型锁定在内存中：其中一部分可能会被换出。</translation>
    </message>
    <message>
        <source>How memory is spread over the processors changes only when the engine is started again.</source>
        <translation>内存在各处理器间的分布只有在引擎重新启动后才会改变。</translation>
    </message>
    <message>
        <source>The Hub could not be asked whether the file has changed; this is for the file as it was on {date}.</source>
        <translation>无法向 Hub 询问文件是否有变化；这里的结果针对 {date} 的文件。</translation>
    </message>
    <message>
        <source>There is not enough memory for {model}, not even with {context} tokens of context.</source>
        <translation>即使上下文只有 {context} 个 token，内存也放不下 {model}。</translation>
    </message>
    <message>
        <source>Choose a smaller quantization ({smaller}) or a smaller model, or close other programs.</source>
        <translation>请选择更小的量化（{smaller}）或更小的模型，或关闭其他程序。</translation>
    </message>
    <message>
        <source>The engine could not be asked beforehand ({reason}); the compute buffers are a careful estimate.</source>
        <translation>事先无法询问引擎（{reason}）；计算缓冲区为谨慎的估计值。</translation>
    </message>
    <message>
        <source>not measured: the disk with {path} is nearly full</source>
        <translation>未测量：{path} 所在的磁盘快满了</translation>
    </message>
    <message>
        <source>not measured: this user may not write to {path}</source>
        <translation>未测量：当前用户无权写入 {path}</translation>
    </message>
    <message>
        <source>not known: this system answers from memory what was just written (it writes {write:,.0f} MB/s)</source>
        <translation>未知：系统会用内存回应刚写入的内容（写入 {write:,.0f} MB/s）</translation>
    </message>
    <message>
        <source>not known: it took longer than {seconds:.0f} s</source>
        <translation>未知：超过了 {seconds:.0f} 秒</translation>
    </message>
    <message>
        <source>not known: {reason}</source>
        <translation>未知：{reason}</translation>
    </message>
    <message>
        <source>this user may not read the kernel&apos;s log; an administrator sees the messages with: sudo dmesg | grep Xid</source>
        <translation>当前用户无权读取内核日志；管理员可用 sudo dmesg | grep Xid 查看</translation>
    </message>
    <message>
        <source>this system shows no kernel log (inside a container it often does not)</source>
        <translation>系统没有提供内核日志（容器中常见）</translation>
    </message>
    <message>
        <source>not read on Windows: the Event Viewer has such errors under System, source nvlddmkm</source>
        <translation>Windows 上不读取：此类错误在“事件查看器”的“系统”中，来源为 nvlddmkm</translation>
    </message>
    <message>
        <source>Nothing, if it happened once. If it comes back with Snug: update the driver, undo overclocking, and report it. Another program may have caused it.</source>
        <translation>如果只出现一次，无需处理。如果使用 Snug 时再次出现：请更新驱动、取消超频并反馈。也可能是别的程序引起的。</translation>
    </message>
    <message>
        <source>Restart the computer. If it comes back: update the driver, and have the card checked.</source>
        <translation>请重启电脑。如果再次出现：更新驱动，并检修显卡。</translation>
    </message>
    <message>
        <source>Restart the computer. If it comes back: check the card&apos;s power cables and its seat, try without a riser, and look whether it follows sleep.</source>
        <translation>请重启电脑。如果再次出现：检查显卡的供电线和插槽，尝试不用转接线，并留意是否发生在睡眠之后。</translation>
    </message>
    <message>
        <source>Restart the computer and update the driver.</source>
        <translation>请重启电脑并更新驱动。</translation>
    </message>
    <message>
        <source>Restart when it suits you: the repair takes effect then. If it recurs, have the card checked.</source>
        <translation>方便时请重启：届时修复生效。如果再次出现，请检修显卡。</translation>
    </message>
    <message>
        <source>Restart the computer. If it comes back, have the card replaced.</source>
        <translation>请重启电脑。如果再次出现，请更换显卡。</translation>
    </message>
    <message>
        <source>Look the number up: docs.nvidia.com/deploy/xid-errors</source>
        <translation>请查阅该编号：docs.nvidia.com/deploy/xid-errors</translation>
    </message>
    <message>
        <source>{logged}. {number}: the card fell off the PCI bus</source>
        <translation>{logged}。{number}：显卡从 PCI 总线上掉线</translation>
    </message>
    <message>
        <source>{logged}. {number}: bad memory of the card could not be replaced</source>
        <translation>{logged}。{number}：损坏的显存无法替换</translation>
    </message>
    <message>
        <source>{logged}. {number}: a memory error that could not be contained</source>
        <translation>{logged}。{number}：无法隔离的显存错误</translation>
    </message>
    <message>
        <source>{logged}. {number}: a memory error that could not be corrected</source>
        <translation>{logged}。{number}：无法纠正的显存错误</translation>
    </message>
    <message>
        <source>{logged}. {number}: the card&apos;s own controller stopped</source>
        <translation>{logged}。{number}：显卡自身的控制器停止了</translation>
    </message>
    <message>
        <source>{logged}. {number}: the card&apos;s system processor (GSP) did not answer the driver</source>
        <translation>{logged}。{number}：显卡的系统处理器（GSP）没有回应驱动</translation>
    </message>
    <message>
        <source>{logged}. {number}: the card&apos;s system processor (GSP) failed</source>
        <translation>{logged}。{number}：显卡的系统处理器（GSP）出现故障</translation>
    </message>
    <message>
        <source>{logged}. {number}: an error on NVLink, between cards</source>
        <translation>{logged}。{number}：显卡之间的 NVLink 出错</translation>
    </message>
    <message>
        <source>{logged}. {number}: a memory error that ended one program</source>
        <translation>{logged}。{number}：显存错误，导致一个程序被终止</translation>
    </message>
    <message>
        <source>{logged}. {number}: bad memory of the card was replaced by spare memory</source>
        <translation>{logged}。{number}：损坏的显存已用备用显存替换</translation>
    </message>
    <message>
        <source>{logged}. {number}: a program used memory of the card that it does not have</source>
        <translation>{logged}。{number}：有程序访问了不属于它的显存</translation>
    </message>
    <message>
        <source>{logged}. {number}: a program&apos;s computation failed on the card</source>
        <translation>{logged}。{number}：有程序在显卡上计算失败</translation>
    </message>
    <message>
        <source>{logged}. {number}: a program on the card was stopped after an error of its own</source>
        <translation>{logged}。{number}：显卡上的一个程序因自身错误被停止</translation>
    </message>
    <message>
        <source>{logged}. {number}: what remained of an ended program was cleared away</source>
        <translation>{logged}。{number}：已清理一个结束的程序的残留</translation>
    </message>
    <message>
        <source>{logged}. NVIDIA&apos;s list says what {number} means</source>
        <translation>{logged}。{number} 的含义见 NVIDIA 的列表</translation>
    </message>
    <message>
        <source>NVIDIA errors (Xid)</source>
        <translation>NVIDIA 错误（Xid）</translation>
    </message>
    <message>
        <source>none in the kernel&apos;s log</source>
        <translation>内核日志中没有</translation>
    </message>
    <message>
        <source>{device} ran out of memory, so the context was lowered from {before} to {after} tokens.</source>
        <translation>{device} 内存不足，因此上下文从 {before} 降到 {after} 个 token。</translation>
    </message>
    <message>
        <source>{device} ran out of memory, so the KV cache is kept in q8_0: half the memory, very little lost.</source>
        <translation>{device} 内存不足，因此 KV 缓存改用 q8_0：内存减半，损失很小。</translation>
    </message>
    <message>
        <source>{device} ran out of memory, so {after} layers are on graphics cards instead of {before}; it is slower.</source>
        <translation>{device} 内存不足，因此显卡上的层数从 {before} 减到 {after}，速度会变慢。</translation>
    </message>
    <message>
        <source>It ran out of memory here before, so it starts as it worked then: {context} tokens of context, {layers} layers on graphics cards.</source>
        <translation>之前在这里内存不足，因此按当时可行的方式启动：上下文 {context} 个 token，显卡上 {layers} 层。</translation>
    </message>
    <message>
        <source>What Snug had learned of this machine could not be read ({reason}); it was kept as {path} and begins anew.</source>
        <translation>Snug 对这台机器积累的数据无法读取（{reason}）；已另存为 {path}，并重新开始。</translation>
    </message>
    <message>
        <source>Nothing of the catalog would fit, even then.</source>
        <translation>即使那样，目录中也没有放得下的模型。</translation>
    </message>
    <message>
        <source>{model} in {quantization} would fit; today nothing does.</source>
        <translation>{model} {quantization} 就能装下；现在一个也放不下。</translation>
    </message>
    <message>
        <source>{model} in {quantization} would come first: more capable than {today}, by size and generation.</source>
        <translation>首选会变成 {model} {quantization}：按规模和代次比 {today} 更强。</translation>
    </message>
    <message>
        <source>{model} in {quantization} would come first; today&apos;s {today} is more capable and would no longer do.</source>
        <translation>首选会变成 {model} {quantization}；现在的 {today} 更强，但届时不再适用。</translation>
    </message>
    <message>
        <source>{model} would still come first, in {quantization} instead of {today}, at about {factor} times the speed.</source>
        <translation>首选仍是 {model}，但用 {quantization} 而不是 {today}，速度约为 {factor} 倍。</translation>
    </message>
    <message>
        <source>The same model would come first, at about {factor} times the speed.</source>
        <translation>首选不变，速度约为 {factor} 倍。</translation>
    </message>
    <message>
        <source>The same model would come first, about as fast as today.</source>
        <translation>首选不变，速度与现在差不多。</translation>
    </message>
    <message>
        <source>Cards of other machines take whole layers over the network (llama.cpp RPC). Each adds about 0.5 to 2 ms to a token on a wired network: an assumption, nothing was measured.</source>
        <translation>其他机器上的显卡通过网络承担整层（llama.cpp RPC）。在有线网络上，每张显卡约给每个 token 增加 0.5 到 2 毫秒：这是假设，没有实测。</translation>
    </message>
    <message>
        <source>Of a card that is only thought of, 31/32 are taken for free; of its memory bandwidth, 65 to 90 % arrive.</source>
        <translation>对假设的显卡，按显存的 31/32 空闲、显存带宽实际可达 65 % 到 90 % 计算。</translation>
    </message>
    <message>
        <source>This user may not use NVIDIA&apos;s driver ({reason}). On Linux: join the group that owns /dev/nvidia0.</source>
        <translation>当前用户无权使用 NVIDIA 驱动（{reason}）。在 Linux 上：请加入 /dev/nvidia0 所属的用户组。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver was updated and the old one still runs ({reason}). Restart the computer.</source>
        <translation>NVIDIA 驱动已更新，但旧驱动仍在运行（{reason}）。请重启电脑。</translation>
    </message>
    <message>
        <source>{name} is lost to its driver ({reason}). Restart the computer; it happens after sleep and when a card is too hot.</source>
        <translation>驱动找不到 {name} 了（{reason}）。请重启电脑；睡眠之后或显卡过热时会出现这种情况。</translation>
    </message>
    <message>
        <source>{name} must be reset before it can be used ({reason}). Restart the computer.</source>
        <translation>{name} 需要复位后才能使用（{reason}）。请重启电脑。</translation>
    </message>
    <message>
        <source>This user may not see the memory of {name} ({reason}).</source>
        <translation>当前用户无权查看 {name} 的显存（{reason}）。</translation>
    </message>
    <message>
        <source>{name} cannot be used: its driver answers with an error ({reason}).</source>
        <translation>无法使用 {name}：驱动返回错误（{reason}）。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver speaks of {told} cards. The first {most} are looked at.</source>
        <translation>NVIDIA 驱动报告有 {told} 张显卡，只查看前 {most} 张。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver spoke of {before} cards, and a moment later of {now}. Look again.</source>
        <translation>NVIDIA 驱动先报告 {before} 张显卡，随后又报告 {now} 张。请重新查看。</translation>
    </message>
    <message>
        <source>{name} is divided (MIG), and a program gets one part of {count}.</source>
        <translation>{name} 已切分（MIG），程序只能使用 {count} 个分区中的一个。</translation>
    </message>
    <message>
        <source>{name} is to be divided (MIG is on) and has no parts, so no program can use it.</source>
        <translation>{name} 已设为切分（MIG 已开启）但没有任何分区，程序无法使用它。</translation>
    </message>
    <message>
        <source>{name} has more parts (MIG): {count} that this user may not see. They are left out.</source>
        <translation>{name} 还有其他分区（MIG）：{count} 个分区当前用户无权查看，已略去。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver lists {name} twice. It is counted once.</source>
        <translation>NVIDIA 驱动把 {name} 列出了两次，按一张计算。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver gives two cards the same identity ({uuid}).</source>
        <translation>NVIDIA 驱动给两张显卡同一个标识（{uuid}）。</translation>
    </message>
    <message>
        <source>NVIDIA&apos;s driver {version} is old: it was asked with the calls of its time ({calls}).</source>
        <translation>NVIDIA 驱动 {version} 较旧：已用当时的接口查询（{calls}）。</translation>
    </message>
    <message>
        <source>This computer has no keyring that Snug can use, so the token is in the file {path}, which only you can read.</source>
        <translation>这台电脑没有 Snug 可用的密钥环，因此令牌在文件 {path} 中，只有你能读取。</translation>
    </message>
    <message>
        <source>The token is that of the variable HF_TOKEN, which goes before any other.</source>
        <translation>使用的是环境变量 HF_TOKEN 中的令牌，它优先于其他令牌。</translation>
    </message>
    <message>
        <source>The token is not sent to {endpoint}, which is not huggingface.co, unless the settings allow it.</source>
        <translation>{endpoint} 不是 huggingface.co，除非设置允许，否则不会向它发送令牌。</translation>
    </message>
    <message>
        <source>The keyring did not tell the token, so the Hub is asked without it. Unlock the keyring, then start Snug again.</source>
        <translation>密钥环没有给出令牌，因此访问 Hub 时不带令牌。请解锁密钥环，然后重新启动 Snug。</translation>
    </message>
    <message>
        <source>The keyring of this computer does not answer.</source>
        <translation>这台电脑的密钥环没有应答。</translation>
    </message>
    <message>
        <source>Look for a window that asks for its password, then try again.</source>
        <translation>请找找询问密钥环密码的窗口，然后重试。</translation>
    </message>
    <message>
        <source>The folder &quot;{path}&quot; cannot be added: {reason}</source>
        <translation>无法添加文件夹“{path}”：{reason}</translation>
    </message>
    <message>
        <source>Choose a folder that is there and that you may read.</source>
        <translation>请选择存在且你有权读取的文件夹。</translation>
    </message>
    <message>
        <source>This is not a token of the Hub.</source>
        <translation>这不是 Hub 的令牌。</translation>
    </message>
    <message>
        <source>Copy it whole from huggingface.co/settings/tokens; it begins with &quot;hf_&quot;.</source>
        <translation>请从 huggingface.co/settings/tokens 完整复制；它以“hf_”开头。</translation>
    </message>
    <message>
        <source>The keyring of this computer did not remove the token: {reason}</source>
        <translation>这台电脑的密钥环没有删除令牌：{reason}</translation>
    </message>
    <message>
        <source>Remove the entry &quot;Snug&quot; in the password program of this computer, or revoke the token on the Hub.</source>
        <translation>请在这台电脑的密码程序中删除“Snug”条目，或在 Hub 上撤销令牌。</translation>
    </message>
    <message>
        <source>{path} is a folder.</source>
        <translation>{path} 是一个文件夹。</translation>
    </message>
    <message>
        <source>Add it to the folders of the library: then every model in it is listed.</source>
        <translation>请把它加入模型库的文件夹：其中的每个模型都会列出。</translation>
    </message>
    <message>
        <source>{path} is not a model by itself, but a part of one.</source>
        <translation>{path} 本身不是模型，而是模型的一部分。</translation>
    </message>
    <message>
        <source>Choose the file of the model; such a part lies beside it.</source>
        <translation>请选择模型的文件；这个部分就在它旁边。</translation>
    </message>
    <message>
        <source>The disk with {path} is too full: {need} are needed, {free} are free.</source>
        <translation>{path} 所在的磁盘太满：需要 {need}，空闲 {free}。</translation>
    </message>
    <message>
        <source>Free some space, or use the model where it is. Nothing was changed.</source>
        <translation>请腾出空间，或就地使用模型。没有任何改动。</translation>
    </message>
    <message>
        <source>{path} is being copied into the models folder already.</source>
        <translation>{path} 已经在复制到模型文件夹。</translation>
    </message>
    <message>
        <source>Wait until the other window or command has done it.</source>
        <translation>请等另一个窗口或命令完成复制。</translation>
    </message>
    <message>
        <source>The copy of {path} is not the same as the file.</source>
        <translation>{path} 的副本与原文件不同。</translation>
    </message>
    <message>
        <source>The copy was removed; the file is as it was. Try again, and check the disk.</source>
        <translation>副本已删除；原文件未变。请重试，并检查磁盘。</translation>
    </message>
    <message>
        <source>The folder {path} is not there. Connect its disk, or remove it from the list.</source>
        <translation>文件夹 {path} 不在了。请连接它所在的磁盘，或把它从列表中去掉。</translation>
    </message>
    <message>
        <source>The folder {path} cannot be read: {reason}</source>
        <translation>无法读取文件夹 {path}：{reason}</translation>
    </message>
    <message>
        <source>Not everything below {path} was looked at: it is too deep or too large.</source>
        <translation>没有查看 {path} 下的全部内容：太深或太大。</translation>
    </message>
    <message>
        <source>The link {path} leads to a whole disk, or to what its own folder is in, and was not followed. Add the folder with the models there.</source>
        <translation>链接 {path} 指向整个磁盘，或指向包含其所在文件夹的位置，因此未跟随。请添加那里存放模型的文件夹。</translation>
    </message>
    <message>
        <source>{path} was left out: {reason}</source>
        <translation>略过了 {path}：{reason}</translation>
    </message>
    <message>
        <source>{path} was left out: it is no GGUF file, or an old one.</source>
        <translation>已跳过 {path}：它不是 GGUF 文件，或是旧格式的文件。</translation>
    </message>
    <message>
        <source>{path} was left out: its part {part} is missing.</source>
        <translation>已跳过 {path}：缺少分片 {part}。</translation>
    </message>
    <message>
        <source>{path} cannot be loaded any more: its part {part} is missing.</source>
        <translation>无法再加载 {path}：缺少分片 {part}。</translation>
    </message>
    <message>
        <source>{path} was left out: its name holds bytes that are no text.</source>
        <translation>已跳过 {path}：它的名称含有不是文本的字节。</translation>
    </message>
    <message>
        <source>{path} cannot be moved to the trash: {reason}</source>
        <translation>无法把 {path} 移到回收站：{reason}</translation>
    </message>
    <message>
        <source>Nothing was removed. It can only be deleted for good, if you want that (&quot;snug rm --permanently&quot;).</source>
        <translation>没有移除任何东西。如果你愿意，只能永久删除它（“snug rm --permanently”）。</translation>
    </message>
    <message>
        <source>{path} cannot be moved to the trash: it lies on another machine.</source>
        <translation>无法将 {path} 移到回收站：它位于另一台机器上。</translation>
    </message>
    <message>
        <source>Already in the trash: {names}. Put them back, or delete the rest for good (&quot;snug rm --permanently&quot;).</source>
        <translation>已在回收站中：{names}。请把它们放回原处，或永久删除其余文件（“snug rm --permanently”）。</translation>
    </message>
    <message>
        <source>The content of {model} is not what its publisher says: {path}</source>
        <translation>{model} 的内容与发布者所说的不符：{path}</translation>
    </message>
    <message>
        <source>Remove it and download it again. A damaged file answers nonsense, if it answers.</source>
        <translation>请移除并重新下载。损坏的文件即使能回答，也是胡言乱语。</translation>
    </message>
    <message>
        <source>{path} cannot be read: another program is writing to it.</source>
        <translation>无法读取 {path}：另一个程序正在写入它。</translation>
    </message>
    <message>
        <source>Wait until that program is done, then try again.</source>
        <translation>请等那个程序写完后再试。</translation>
    </message>
    <message>
        <source>{path} could not be deleted: {reason}</source>
        <translation>无法删除 {path}：{reason}</translation>
    </message>
    <message>
        <source>Check that you may write to its folder and that no program uses it; then remove the model again.</source>
        <translation>请确认你可以写入它所在的文件夹，且没有程序在使用它；然后再次移除该模型。</translation>
    </message>
    <message>
        <source>its answer is longer than {limit} bytes</source>
        <translation>回应超过 {limit} 字节</translation>
    </message>
    <message>
        <source>it leads from one address to the next without end</source>
        <translation>它不断跳转到下一个地址</translation>
    </message>
    <message>
        <source>it is compressed</source>
        <translation>它被压缩了</translation>
    </message>
    <message>
        <source>it has other bytes than those that were asked for</source>
        <translation>它不是所请求的字节</translation>
    </message>
    <message>
        <source>it states two lengths</source>
        <translation>它给出了两个不同的长度</translation>
    </message>
    <message>
        <source>it leads out of encryption, or to no web address</source>
        <translation>它跳转到未加密的地址，或不是网址</translation>
    </message>
</context>
</TS>
